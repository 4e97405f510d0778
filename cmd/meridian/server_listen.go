package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// linger is how long open connections are still served when a server stops, and
// closed after an answer. Closing them at once would meet requests on their way,
// whose senders could not know whether they were heard.
const linger = 250 * time.Millisecond

// listener is the API on one address.
type listener struct {
	net.Listener
	name     string // api or http
	server   *http.Server
	tls      *tls.Config // nil: plain
	draining atomic.Bool
}

// listen puts the API on a bound address, to be served later.
func (s *server) listen(name string, l *gate, config *tls.Config) error {
	bound, err := l.Open()
	if err != nil {
		return fmt.Errorf("listen.%s: %w", name, err)
	}
	s.listeners = append(s.listeners, newListener(name, bound, s.api.HTTPServer(), config))
	return nil
}

func newListener(name string, bound net.Listener, server *http.Server, config *tls.Config) *listener {
	l := &listener{Listener: bound, name: name, server: server, tls: config}
	answer := server.Handler
	server.TLSConfig = config
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.draining.Load() {
			w.Header().Set("Connection", "close") // over HTTP/2 net/http makes it a GOAWAY
		}
		answer.ServeHTTP(w, r)
	})
	return l
}

// serve answers until Shutdown; then the error is nil.
func (l *listener) serve() error {
	var err error
	if l.tls != nil {
		err = l.server.ServeTLS(l.Listener, "", "")
	} else {
		err = l.server.Serve(l.Listener)
	}
	if l.draining.Load() || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("listen.%s: %w", l.name, err)
}

// Shutdown closes the listener, lets connections go after their next answer, and
// waits for running requests; when ctx ends first it cuts them off and says so.
func (l *listener) Shutdown(ctx context.Context) error {
	l.draining.Store(true)
	_ = l.Listener.Close() // nothing was written to it
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	err := l.server.Shutdown(ctx)
	if err != nil {
		// Closing a connection that is in use has nothing more to report.
		_ = l.server.Close()
	}
	return err
}
