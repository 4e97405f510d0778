package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestGateRefusesUntilItOpens dials a gate all the time while it opens: a
// connection is refused, or it is served.
func TestGateRefusesUntilItOpens(t *testing.T) {
	free, err := bindTCP("listen.http.address", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := bindGate("listen.http.address", address)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()

	var refused, served atomic.Int64
	var opened atomic.Bool
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for last := false; !last; {
				last = opened.Load()
				conn, err := net.DialTimeout("tcp", address, patience)
				if errors.Is(err, syscall.ECONNREFUSED) && !last {
					refused.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(conn)
				if string(got) != "x" || err != nil {
					t.Errorf("a connection was answered %q, %v", got, err)
				}
				served.Add(1)
				_ = conn.Close()
			}
		})
	}
	if !eventually(func() bool { return refused.Load() > 100 }) {
		t.Error("nobody was refused")
	}
	l, err := g.Open()
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(true)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "x")
			_ = conn.Close()
		}
	}()
	clients.Wait()
	if served.Load() < 4 {
		t.Errorf("%d connections were served", served.Load())
	}
}
