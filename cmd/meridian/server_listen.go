package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// listener is the API on one address.
type listener struct {
	net.Listener
	name   string // api or http
	server *http.Server
	tls    *tls.Config // nil: plain
}

// listen binds an address for the API. It binds at once, so that a taken port
// is an error at start, and serves later.
func (s *server) listen(name, address string, config *tls.Config) error {
	l, err := listenTCP(address)
	if err != nil {
		return fmt.Errorf("listen.%s: %w", name, err)
	}
	server := s.api.HTTPServer()
	server.TLSConfig = config
	s.farewell.attend(server)
	s.listeners = append(s.listeners, &listener{Listener: l, name: name, server: server, tls: config})
	return nil
}

// listenTCP listens without Multipath TCP, whose sockets take no filter
// (stopHandshakes).
func listenTCP(address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(context.Background(), "tcp", address)
}

// serve takes connections until Shutdown, or until the listener is closed; then
// the error is nil.
func (l *listener) serve() error {
	var err error
	if l.tls != nil {
		err = l.server.ServeTLS(l.Listener, "", "")
	} else {
		err = l.server.Serve(l.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("listen.%s: %w", l.name, err)
}

// Shutdown closes the listener and idle connections and waits for running
// requests; when ctx ends first it cuts them off and says so.
func (l *listener) Shutdown(ctx context.Context) error {
	err := l.server.Shutdown(ctx)
	if err != nil {
		// Closing a connection that is in use has nothing more to report.
		_ = l.server.Close()
	}
	return err
}
