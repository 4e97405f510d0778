package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// linger bounds how long clients are given to leave when a server stops.
const linger = time.Second

// listener is the API on one address.
type listener struct {
	net.Listener
	name   string // api or http
	server *http.Server
	tls    *tls.Config // nil: plain
	log    *slog.Logger

	draining atomic.Bool
	open     atomic.Int64 // connections
}

// listen puts the API on a bound address, to be served later.
func (s *server) listen(name string, l *gate, config *tls.Config) error {
	bound, err := l.Open()
	if err != nil {
		return fmt.Errorf("listen.%s: %w", name, err)
	}
	s.listeners = append(s.listeners, newListener(name, bound, s.api.HTTPServer(), config, s.log))
	return nil
}

func newListener(name string, bound net.Listener, server *http.Server, config *tls.Config, log *slog.Logger) *listener {
	l := &listener{Listener: bound, name: name, server: server, tls: config, log: log}
	answer, state := server.Handler, server.ConnState
	server.TLSConfig = config
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.draining.Load() {
			w.Header().Set("Connection", "close") // over HTTP/2 net/http makes it a GOAWAY
		}
		answer.ServeHTTP(w, r)
	})
	server.ConnState = func(c net.Conn, now http.ConnState) {
		switch now {
		case http.StateNew:
			l.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			l.open.Add(-1)
		}
		if state != nil {
			state(c, now)
		}
	}
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

// Shutdown takes no more connections, has clients leave theirs, and waits for
// running requests; when ctx ends first it cuts them off and says so.
//
// A request that is sent just as http.Server shuts down is dropped, and its
// client cannot know whether a write was done. So every answer tells its client
// to take another connection for the next request, which is refused by then, so
// that the client asks another node. Only connections that stay idle for longer
// than linger are closed on their client.
func (l *listener) Shutdown(ctx context.Context) error {
	l.refuse(ctx)
	l.awaitLeave(ctx)
	err := l.server.Shutdown(ctx)
	if err != nil {
		// Closing a connection that is in use has nothing more to report.
		_ = l.server.Close()
	}
	return err
}

// refuse closes the listener, and resets no connection that is under way.
func (l *listener) refuse(ctx context.Context) {
	const handshake = 50 * time.Millisecond // a round trip to the client
	if err := stopHandshakes(l.Listener); err != nil {
		l.log.Debug("A connection that comes now may be reset.", "event", "handshakes_go_on", "listener", l.name, "error", err.Error())
	} else {
		sleep(ctx, handshake)
	}
	l.draining.Store(true)
	_ = l.Close() // nothing was written to it
}

// awaitLeave waits until no connection is open, for linger at most.
func (l *listener) awaitLeave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	const look = 5 * time.Millisecond
	for l.open.Load() > 0 && ctx.Err() == nil {
		sleep(ctx, look)
	}
}

// sleep waits for a time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
