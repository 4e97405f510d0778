package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"meridian/cluster"
)

// bound are the listeners that are bound before the node opens, so that a taken
// port is an error at once. Nil: off.
type bound struct {
	cluster   net.Listener
	api, http *gate
}

// bind binds all listeners but listen.ops, which is there already, and reads the
// API's certificate.
func (s *server) bind() (err error) {
	listen := &s.cfg.Listen
	if s.bound.cluster, err = bindTCP("listen.cluster.address", listen.Cluster.Address); err != nil {
		return err
	}
	if listen.API.Address != "" {
		if s.certificate, err = openCertificate(listen.API.TLS.Cert, listen.API.TLS.Key, s.log, s.metrics); err != nil {
			return fmt.Errorf("listen.api: %w", err)
		}
		if s.bound.api, err = bindGate("listen.api.address", listen.API.Address); err != nil {
			return err
		}
	}
	if listen.HTTP.Address != "" {
		s.bound.http, err = bindGate("listen.http.address", listen.HTTP.Address)
	}
	return err
}

// Close closes what nobody else has closed.
func (b *bound) Close() {
	b.api.Close()
	b.http.Close()
	if b.cluster != nil {
		_ = b.cluster.Close() // an error means that it is closed
	}
}

// formingStatus is what is told of the node before it is open.
func (s *server) formingStatus() cluster.Status {
	status := cluster.Status{
		NodeID: s.cfg.Node.ID, Region: s.cfg.Region.ID, Role: "forming", Healthy: true, Sealed: true,
		Started: time.Now(), Address: s.cfg.Listen.Cluster.Advertise,
	}
	for _, v := range s.cfg.Bootstrap.Voters {
		if v.ID == s.cfg.Node.ID {
			status.Address = v.Address
		}
	}
	return status
}

// bindTCP binds the address of a setting, and says for the usual mistakes what
// to do.
func bindTCP(setting, address string) (net.Listener, error) {
	l, err := listenTCP(address)
	if err == nil {
		return l, nil
	}
	host, port, split := net.SplitHostPort(address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s: %w: another process has it, perhaps another server here; stop that one (ss -ltnp shows it) or choose another port",
			setting, address, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EADDRNOTAVAIL) && split == nil:
		next := ""
		if strings.HasPrefix(setting, "listen.cluster") {
			next = ", and put the one by which others reach it into listen.cluster.advertise"
		}
		return nil, fmt.Errorf("%s: %s: %w: this machine has no address %s; take one of its own, or :%s for all%s",
			setting, address, syscall.EADDRNOTAVAIL, host, port, next)
	}
	return nil, fmt.Errorf("%s: %w", setting, err)
}

// listenTCP listens without Multipath TCP, whose sockets take no filter
// (stopHandshakes).
func listenTCP(address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(context.Background(), "tcp", address)
}

// gate is a bound listener that is not served yet: until Open it closes each
// connection at once, so that clients turn to another node instead of waiting.
type gate struct {
	listener *net.TCPListener
	turning  sync.WaitGroup
}

func bindGate(setting, address string) (*gate, error) {
	l, err := bindTCP(setting, address)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("%s: %T is not a TCP listener", setting, l)
	}
	g := &gate{listener: tcp}
	g.turning.Go(g.turnAway)
	return g, nil
}

func (g *gate) turnAway() {
	for {
		conn, err := g.listener.Accept()
		switch {
		case err == nil:
			_ = conn.Close() // nothing was read or written
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(10 * time.Millisecond) // such as too many open files
		}
	}
}

// Open returns the listener for whoever serves it now.
func (g *gate) Open() (net.Listener, error) {
	if err := g.listener.SetDeadline(time.Now()); err != nil {
		return nil, err
	}
	g.turning.Wait()
	return g.listener, g.listener.SetDeadline(time.Time{})
}

// Close closes the listener, if nobody else did; a nil gate has none.
func (g *gate) Close() {
	if g == nil {
		return
	}
	_ = g.listener.Close() // an error means that it is closed
	g.turning.Wait()
}
