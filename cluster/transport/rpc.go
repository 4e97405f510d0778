package transport

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
)

// MaxMessage bounds an internode message, in bytes; a caller may allow a larger
// answer. The largest is a call that forwards many commands; one of them has some
// 100 KiB with all its tags and policies.
const MaxMessage = 1 << 20

const authType = "meridian-mtls"

type clientKey struct{ nodeID, address string }

func newServer(t *Transport) *grpc.Server {
	return grpc.NewServer(
		grpc.Creds(&handshaken{}),
		grpc.UnaryInterceptor(t.unary),
		grpc.StreamInterceptor(t.stream),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(4096),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 15 * time.Second, Timeout: 5 * time.Second}),
	)
}

// Client returns the connection for calls to one node. It is shared, connects
// when first used, connects again after a failure, and is closed by Close.
func (t *Transport) Client(nodeID, address string) (*grpc.ClientConn, error) {
	key := clientKey{nodeID, address}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, net.ErrClosed
	}
	if conn, ok := t.clients[key]; ok {
		return conn, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(&handshaken{nodeID: nodeID}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return t.dial(ctx, address, nodeID, ProtocolRPC)
		}),
		// A peer that restarts must be found again within a fraction of an election.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 25 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage)),
		grpc.WithStatsHandler(sendWatcher{}),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
	)
	if err != nil {
		return nil, err
	}
	t.clients[key] = conn
	return conn, nil
}

// Sent tells whether a call left this node. A call that failed before is known
// not to have reached the other side.
type Sent struct{ left atomic.Bool }

type sentKey struct{}

// WatchSend returns a context for one call and the record of its departure.
func WatchSend(ctx context.Context) (context.Context, *Sent) {
	s := new(Sent)
	return context.WithValue(ctx, sentKey{}, s), s
}

// Left reports whether any part of the call may have reached the wire.
func (s *Sent) Left() bool { return s.left.Load() }

// sendWatcher marks the Sent of a call when its header is handed to the
// connection, which happens before the message is.
type sendWatcher struct{}

func (sendWatcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (sendWatcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}
func (sendWatcher) HandleConn(context.Context, stats.ConnStats) {}
func (sendWatcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	switch event.(type) {
	case *stats.OutHeader, *stats.OutPayload:
		if s, ok := ctx.Value(sentKey{}).(*Sent); ok {
			s.left.Store(true)
		}
	}
}

// rpcListener gives gRPC the connections that were admitted for it.
type rpcListener struct {
	address net.Addr
	conns   chan *peerConn
	done    chan struct{}
	once    sync.Once
}

func newRPCListener(address net.Addr) *rpcListener {
	return &rpcListener{address: address, conns: make(chan *peerConn), done: make(chan struct{})}
}

func (l *rpcListener) deliver(conn *peerConn) error {
	select {
	case l.conns <- conn:
		return nil
	case <-l.done:
		return net.ErrClosed
	}
}

func (l *rpcListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *rpcListener) close()         { l.once.Do(func() { close(l.done) }) }
func (l *rpcListener) Close() error   { l.close(); return nil }
func (l *rpcListener) Addr() net.Addr { return l.address }

// authInfo carries the peer's name into a call.
type authInfo struct {
	grpccredentials.CommonAuthInfo
	nodeID string
}

func (authInfo) AuthType() string { return authType }

// handshaken are gRPC credentials for connections that the transport has
// authenticated already.
type handshaken struct{ nodeID string }

func (h *handshaken) info(nodeID string) authInfo {
	return authInfo{
		CommonAuthInfo: grpccredentials.CommonAuthInfo{SecurityLevel: grpccredentials.PrivacyAndIntegrity},
		nodeID:         nodeID,
	}
}

func (h *handshaken) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, grpccredentials.AuthInfo, error) {
	return conn, h.info(h.nodeID), nil
}

func (h *handshaken) ServerHandshake(conn net.Conn) (net.Conn, grpccredentials.AuthInfo, error) {
	p, ok := conn.(*peerConn)
	if !ok {
		return nil, nil, errors.New("transport: connection was not authenticated")
	}
	return p, h.info(p.nodeID), nil
}

func (h *handshaken) Info() grpccredentials.ProtocolInfo {
	return grpccredentials.ProtocolInfo{SecurityProtocol: "tls"}
}

func (h *handshaken) Clone() grpccredentials.TransportCredentials { return &handshaken{h.nodeID} }

func (h *handshaken) OverrideServerName(string) error { return nil }
