// Package transport carries everything that the nodes of one region say to each
// other over a single listener: Raft's streams and the internode calls.
//
// Both sides of every connection prove themselves with a certificate of the
// region's own CA, under TLS 1.3 only. A certificate names its node in one URI:
//
//	spiffe://meridian/<region>/<node id>
//
// The ALPN value decides what a connection is for, with no fallback:
// meridian-raft/1 for Raft streams, meridian-rpc/1 for gRPC. Nothing that a peer
// sends is parsed before its certificate was checked, and what may arrive until
// then is bounded in bytes, time and number of connections.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
)

// Protocols of the listener, as ALPN values.
const (
	ProtocolRaft = "meridian-raft/1"
	ProtocolRPC  = "meridian-rpc/1"
)

// Limits on connections that have not authenticated yet.
const (
	handshakeTimeout  = 5 * time.Second
	handshakeMaxBytes = 64 << 10
	handshakesAtOnce  = 64
	// A peer that opened a Raft stream must use it within this time.
	firstFrameTimeout = 10 * time.Second
)

// Config says where a node listens and who it is. All files are PEM.
type Config struct {
	Region, NodeID string // set by the cluster package

	Address   string // host:port to listen on
	Advertise string // host:port that peers dial; Address when empty

	CertFile string // the node's certificate, with intermediates if any
	KeyFile  string
	CAFile   string // the region's CA

	// Via holds the addresses at which nodes are dialled instead of their own, by
	// node id.
	Via map[string]string

	Logger *slog.Logger

	// PeerID tells which node is expected behind an address, so that a stream
	// to another member is refused. Nil: any member of the region is accepted.
	PeerID func(address string) (nodeID string, ok bool)

	// Member tells which nodes may open Raft streams. Nil: any of the region.
	Member func(nodeID string) bool

	// Admit returns the gRPC status with which a node's call of a method, by its
	// full name, is refused. Nil: any node of the region may make any call.
	Admit func(nodeID, method string) error

	// Panicked is told of a panic in a method's handler, which is answered with
	// an internal error. Nil: the panic ends the process.
	Panicked func(error)

	// Seams for tests; nil means package net.
	Listen func(network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Validate reports every mistake in c at once.
func (c *Config) Validate() error {
	var errs []error
	for _, f := range []struct{ name, value string }{
		{"address", c.Address}, {"certificate file", c.CertFile}, {"key file", c.KeyFile}, {"CA file", c.CAFile},
	} {
		if f.value == "" {
			errs = append(errs, fmt.Errorf("cluster listener: no %s", f.name))
		}
	}
	for _, address := range []string{c.Address, c.Advertise} {
		if address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			errs = append(errs, fmt.Errorf("cluster listener: %w", err))
		}
	}
	for id, address := range c.Via {
		if _, _, err := net.SplitHostPort(address); err != nil {
			errs = append(errs, fmt.Errorf("cluster listener: dialling %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// Transport is one node's end of the region's network.
type Transport struct {
	cfg         Config
	credentials *credentials
	listener    net.Listener
	server      *grpc.Server
	raft        *RaftLayer
	rpc         *rpcListener
	handshakes  *semaphore.Weighted
	complaints  *rate.Limiter

	done chan struct{}
	wg   sync.WaitGroup
	once sync.Once

	mu      sync.Mutex
	closed  bool
	inbound map[net.Conn]struct{} // not yet handed over
	clients map[clientKey]*grpc.ClientConn
}

// Open reads the certificates and starts to listen. Nothing is accepted before
// Start, so that services can be registered on Server first.
func Open(cfg Config) (*Transport, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Advertise == "" {
		cfg.Advertise = cfg.Address
	}
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	creds, err := loadCredentials(&cfg)
	if err != nil {
		return nil, err
	}
	listener, err := cfg.Listen("tcp", cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("cluster listener: %w", err)
	}
	t := &Transport{
		cfg: cfg, credentials: creds, listener: listener,
		handshakes: semaphore.NewWeighted(handshakesAtOnce),
		complaints: rate.NewLimiter(rate.Every(time.Second), 5),
		done:       make(chan struct{}),
		inbound:    make(map[net.Conn]struct{}),
		clients:    make(map[clientKey]*grpc.ClientConn),
	}
	t.raft = newRaftLayer(t)
	t.rpc = newRPCListener(listener.Addr())
	t.server = newServer(t)
	return t, nil
}

// Server returns the gRPC server, for services to be registered before Start.
func (t *Transport) Server() *grpc.Server { return t.server }

// Raft returns the stream layer for Raft's network transport.
func (t *Transport) Raft() *RaftLayer { return t.raft }

// Addr returns the address that the node listens on.
func (t *Transport) Addr() net.Addr { return t.listener.Addr() }

// Start accepts connections until Close.
func (t *Transport) Start() {
	t.wg.Go(func() { _ = t.server.Serve(t.rpc) })
	t.wg.Go(t.accept)
}

// Close stops listening, closes every connection, in both directions and also
// those in use, and waits for the goroutines of the transport.
func (t *Transport) Close() error {
	t.once.Do(func() {
		close(t.done)
		_ = t.listener.Close()
		t.mu.Lock()
		t.closed = true
		for conn := range t.inbound {
			_ = conn.Close()
		}
		clients := t.clients
		t.clients = nil
		t.mu.Unlock()
		for _, client := range clients {
			_ = client.Close()
		}
		t.raft.closeAll()
		t.rpc.close()
		t.server.Stop()
	})
	t.wg.Wait()
	return nil
}

func (t *Transport) accept() {
	const pause = 50 * time.Millisecond // after a failure such as too many open files
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			select {
			case <-t.done:
				return
			case <-time.After(pause):
				t.complain("accepting failed", "error", err)
				continue
			}
		}
		if !t.handshakes.TryAcquire(1) {
			_ = conn.Close()
			t.complain("too many connections wait to authenticate", "remote", conn.RemoteAddr())
			continue
		}
		if !t.hold(conn) {
			t.handshakes.Release(1)
			_ = conn.Close()
			return
		}
		t.wg.Go(func() {
			defer t.handshakes.Release(1)
			defer t.release(conn)
			if err := t.admit(conn); err != nil {
				_ = conn.Close()
				host, reason := refusal(conn, err)
				t.complain(fmt.Sprintf("refused the connection of %s: %s", host, reason), "remote", host)
			}
		})
	}
}

// refusal names the host, and the reason without ports: the same text for the
// same cause, so that a log can hold back its repetitions.
func refusal(conn net.Conn, err error) (host, reason string) {
	host = conn.RemoteAddr().String()
	if only, _, split := net.SplitHostPort(host); split == nil {
		host = only
	}
	var cause *net.OpError
	if errors.As(err, &cause) {
		return host, cause.Err.Error()
	}
	return host, err.Error()
}

// admit authenticates one connection and hands it to its protocol.
func (t *Transport) admit(raw net.Conn) error {
	limited := &limitedConn{Conn: raw, left: handshakeMaxBytes}
	conn := tls.Server(limited, t.credentials.server())
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	limited.lift()
	state := conn.ConnectionState()
	id, err := t.credentials.identify(state)
	if err != nil {
		return err
	}
	peer := &peerConn{Conn: conn, nodeID: id}
	switch state.NegotiatedProtocol {
	case ProtocolRaft:
		return t.raft.deliver(peer)
	case ProtocolRPC:
		return t.rpc.deliver(peer)
	}
	return fmt.Errorf("protocol %q is not served here", state.NegotiatedProtocol)
}

// dial opens an authenticated connection for one protocol. nodeID may be empty
// when any member of the region will do.
func (t *Transport) dial(ctx context.Context, address, nodeID, protocol string) (net.Conn, error) {
	if via, ok := t.cfg.Via[nodeID]; ok {
		address = via
	}
	raw, err := t.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, t.credentials.client(nodeID, protocol))
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return conn, nil
}

func (t *Transport) hold(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.inbound[conn] = struct{}{}
	return true
}

func (t *Transport) release(conn net.Conn) {
	t.mu.Lock()
	delete(t.inbound, conn)
	t.mu.Unlock()
}

// complain logs at a bounded rate: whoever reaches the port can cause these.
func (t *Transport) complain(message string, args ...any) {
	if t.cfg.Logger != nil && t.complaints.Allow() {
		t.cfg.Logger.Warn("cluster listener: "+message, args...)
	}
}
