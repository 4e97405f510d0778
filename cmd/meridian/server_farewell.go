package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// farewellLimit bounds how long clients are given to leave.
const farewellLimit = time.Second

// farewell has clients leave their connections before the server closes them: a
// request that is sent just as http.Server shuts down is dropped, and its client
// cannot know whether a write was done. From say on every answer tells its
// client to take another connection for the next request; the listeners, which
// are closed by then, refuse it, so that the client asks another node.
type farewell struct {
	said atomic.Bool
	open atomic.Int64 // connections
}

// attend makes a server part of it, before it serves.
func (f *farewell) attend(server *http.Server) {
	handler, state := server.Handler, server.ConnState
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.said.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	server.ConnState = func(c net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			f.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			f.open.Add(-1)
		}
		if state != nil {
			state(c, s)
		}
	}
}

// say starts it and waits until no connection is open, or ctx ends.
func (f *farewell) say(ctx context.Context) {
	f.said.Store(true)
	const look = 5 * time.Millisecond
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for f.open.Load() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
