package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// MaxHeaderBytes bounds the head of a request: a request line of 9 KiB is normal, for plaintext travels in the query.
const MaxHeaderBytes = 64 << 10

// HTTPServer returns an http.Server that serves s within the limits of the protocol: header block 64 KiB, 5 s to send
// it, 15 s to send the whole request, 45 s from its head to the end of the answer, 60 s idle, 100 streams on an HTTP/2
// connection, the fewest that RFC 9113 recommends, with 128 KiB of what was not read yet, and a number of connections for
// each client address, which all servers of s share. Serve it on any
// listener, with TLS or without; Shutdown is the caller's.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      45 * time.Second, // from the end of the head; a write may be held for 8 s
		IdleTimeout:       60 * time.Second,
		// net/http allows 4 KiB beyond this for its own reading ahead.
		MaxHeaderBytes: MaxHeaderBytes - 4096,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100, MaxReceiveBufferPerConnection: 128 << 10, MaxReceiveBufferPerStream: 64 << 10},
		// "OPTIONS *" is answered like any other method that is not served.
		DisableGeneralOptionsHandler: true,
		ConnState:                    s.guard.state,
		ErrorLog:                     slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
}

// connectionGuard counts open connections by client address and closes those over the limit.
type connectionGuard struct {
	limit   int
	refused func()
	mu      sync.Mutex
	open    map[netip.Addr]int
	extra   map[net.Conn]struct{} // refused, until they report that they are closed
}

// state is the ConnState hook of an http.Server.
func (g *connectionGuard) state(c net.Conn, state http.ConnState) {
	if state != http.StateNew && state != http.StateClosed && state != http.StateHijacked {
		return
	}
	addr := clientAddr(c)
	if !addr.IsValid() {
		return
	}
	g.mu.Lock()
	over := g.count(c, addr, state == http.StateNew)
	g.mu.Unlock()
	if over {
		g.refused()
		c.Close()
	}
}

// count books a connection in or out, and reports whether it is one too many.
func (g *connectionGuard) count(c net.Conn, addr netip.Addr, opened bool) bool {
	if !opened {
		if _, refused := g.extra[c]; refused {
			delete(g.extra, c)
			return false
		}
		if g.open[addr]--; g.open[addr] <= 0 {
			delete(g.open, addr)
		}
		return false
	}
	if g.open == nil {
		g.open, g.extra = make(map[netip.Addr]int), make(map[net.Conn]struct{})
	}
	if g.open[addr] >= g.limit {
		g.extra[c] = struct{}{}
		return true
	}
	g.open[addr]++
	return false
}

func clientAddr(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}
