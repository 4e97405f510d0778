package transport

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

var errTooMuch = errors.New("transport: too many bytes before authentication")

// limitedConn bounds what is read until lift, which is called by the goroutine
// that also did the reading.
type limitedConn struct {
	net.Conn
	left   int
	lifted bool
}

func (c *limitedConn) lift() { c.lifted = true }

func (c *limitedConn) Read(p []byte) (int, error) {
	if c.lifted {
		return c.Conn.Read(p)
	}
	if c.left <= 0 {
		return 0, errTooMuch
	}
	if len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.Conn.Read(p)
	c.left -= n
	return n, err
}

// peerConn is an authenticated inbound connection.
type peerConn struct {
	net.Conn
	nodeID string
}

// raftConn is a Raft stream that its layer closes at shutdown: Raft itself
// leaves inbound streams open.
type raftConn struct {
	net.Conn
	layer *RaftLayer
	once  sync.Once
	// awaited: a read deadline stands until the first bytes came.
	awaited atomic.Bool
}

func (c *raftConn) awaitFirstFrame() {
	c.awaited.Store(true)
	_ = c.SetReadDeadline(time.Now().Add(firstFrameTimeout))
}

func (c *raftConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.awaited.Load() && c.awaited.Swap(false) {
		_ = c.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (c *raftConn) Close() error {
	c.once.Do(func() { c.layer.forget(c) })
	return c.Conn.Close()
}
