package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// ErrUnreachable marks a stream that could not be opened: nothing was sent.
var ErrUnreachable = errors.New("transport: node cannot be reached")

var errNotReady = errors.New("transport: Raft does not take streams yet")

// RaftLayer is Raft's view of the transport: a raft.StreamLayer over
// authenticated connections.
type RaftLayer struct {
	transport *Transport
	accepted  chan *raftConn
	done      chan struct{}
	once      sync.Once

	mu     sync.Mutex
	closed bool
	conns  map[*raftConn]struct{}
}

var _ raft.StreamLayer = (*RaftLayer)(nil)

func newRaftLayer(t *Transport) *RaftLayer {
	return &RaftLayer{
		transport: t,
		accepted:  make(chan *raftConn, 16),
		done:      make(chan struct{}),
		conns:     make(map[*raftConn]struct{}),
	}
}

// Accept waits for a stream that a peer opened.
func (l *RaftLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Dial opens a stream to the node at address. Error: ErrUnreachable.
func (l *RaftLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var nodeID string
	if l.transport.cfg.PeerID != nil {
		nodeID, _ = l.transport.cfg.PeerID(string(address))
	}
	conn, err := l.transport.dial(ctx, string(address), nodeID, ProtocolRaft)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return l.keep(conn)
}

// Addr returns the advertised address, which is the node's address in Raft's
// configuration.
func (l *RaftLayer) Addr() net.Addr { return advertised(l.transport.cfg.Advertise) }

// Close ends the layer and all its streams; the listener stays.
func (l *RaftLayer) Close() error {
	l.closeAll()
	return nil
}

func (l *RaftLayer) deliver(peer *peerConn) error {
	if member := l.transport.cfg.Member; member != nil && !member(peer.nodeID) {
		return fmt.Errorf("%w: node %q is not a member", ErrPeer, peer.nodeID)
	}
	conn, err := l.keep(peer)
	if err != nil {
		return err
	}
	conn.awaitFirstFrame()
	select {
	case l.accepted <- conn:
		return nil
	default: // Raft does not run yet, or is far behind: the peer dials again
		_ = conn.Close()
		return errNotReady
	}
}

func (l *RaftLayer) keep(raw net.Conn) (*raftConn, error) {
	conn := &raftConn{Conn: raw, layer: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	l.conns[conn] = struct{}{}
	return conn, nil
}

func (l *RaftLayer) forget(conn *raftConn) {
	l.mu.Lock()
	delete(l.conns, conn)
	l.mu.Unlock()
}

func (l *RaftLayer) closeAll() {
	l.once.Do(func() { close(l.done) })
	l.mu.Lock()
	l.closed = true
	conns := l.conns
	l.conns = make(map[*raftConn]struct{})
	l.mu.Unlock()
	for conn := range conns {
		_ = conn.Conn.Close()
	}
}

// advertised is an address as text: it need not resolve here.
type advertised string

func (advertised) Network() string  { return "tcp" }
func (a advertised) String() string { return string(a) }
