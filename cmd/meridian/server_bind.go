package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
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
	return bindWith(setting, address, nil)
}

func bindWith(setting, address string, control socketControl) (net.Listener, error) {
	l, err := listenTCP(address, control)
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

// socketControl is called with a socket before it is bound.
type socketControl func(network, address string, c syscall.RawConn) error

// listenTCP listens without Multipath TCP, whose sockets take no filter
// (stopHandshakes).
func listenTCP(address string, control socketControl) (net.Listener, error) {
	config := net.ListenConfig{Control: control}
	config.SetMultipathTCP(false)
	return config.Listen(context.Background(), "tcp", address)
}
