package main

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

// TestStopHandshakes lets a connection that is in the queue through, no further
// one, and refuses it once the listener is closed.
func TestStopHandshakes(t *testing.T) {
	l, err := listenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	queued, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer queued.Close()
	if err := stopHandshakes(l); err != nil {
		t.Fatal(err)
	}
	late := make(chan error, 1)
	go func() {
		c, err := net.DialTimeout("tcp", l.Addr().String(), patience)
		if err == nil {
			c.Close()
		}
		late <- err
	}()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if _, err := queued.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := accepted.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	select {
	case err := <-late:
		t.Errorf("a late connection came to %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-late; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a late connection came to %v, want that it is refused", err)
	}
}
