package clustertest

import (
	"context"
	"net"
	"sync"
)

// link is a node's connection to the network. While it is cut, bytes in either
// direction stand still, as with a hung machine or a dead switch; when it is
// mended, the connections that stood still break.
type link struct {
	mu    sync.Mutex
	cut   chan struct{} // closed when mended; nil: not cut
	conns map[*linkConn]struct{}
}

func newLink() *link { return &link{conns: make(map[*linkConn]struct{})} }

// Cut takes a node off the network.
func (r *Region) Cut(i int) {
	l := r.members[i].link
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == nil {
		l.cut = make(chan struct{})
	}
}

// Mend puts it back.
func (r *Region) Mend(i int) {
	l := r.members[i].link
	l.mu.Lock()
	if l.cut != nil {
		close(l.cut)
		l.cut = nil
	}
	conns := l.conns
	l.conns = make(map[*linkConn]struct{})
	l.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := l.wait(ctx.Done()); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return l.add(conn), nil
}

func (l *link) listen(network, address string) (net.Listener, error) {
	listener, err := listenAgain(network, address)
	if err != nil {
		return nil, err
	}
	return linkListener{listener, l}, nil
}

type linkListener struct {
	net.Listener
	link *link
}

func (l linkListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.link.add(conn), nil
}

func (l *link) add(conn net.Conn) net.Conn {
	c := &linkConn{Conn: conn, link: l, closed: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = struct{}{}
	return c
}

// wait returns nil unless the link is cut; then it waits until it is mended, or
// gives up, and returns an error either way.
func (l *link) wait(giveUp <-chan struct{}) error {
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut == nil {
		return nil
	}
	select {
	case <-cut:
	case <-giveUp:
	}
	return net.ErrClosed
}

type linkConn struct {
	net.Conn
	link   *link
	once   sync.Once
	closed chan struct{}
}

func (c *linkConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if cut := c.link.wait(c.closed); cut != nil {
		return 0, cut
	}
	return n, err
}

func (c *linkConn) Write(p []byte) (int, error) {
	if cut := c.link.wait(c.closed); cut != nil {
		return 0, cut
	}
	return c.Conn.Write(p)
}

func (c *linkConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.link.mu.Lock()
		delete(c.link.conns, c)
		c.link.mu.Unlock()
	})
	return c.Conn.Close()
}
