package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestShutdownMeetsNoRequest stops a listener while clients keep their
// connections busy: each call is answered, or refused before it was sent.
func TestShutdownMeetsNoRequest(t *testing.T) {
	bound, err := listenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	l := newListener("http", bound, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	})}, nil, slog.New(slog.DiscardHandler))
	group := new(sync.WaitGroup)
	group.Go(func() {
		if err := l.serve(); err != nil {
			t.Error(err)
		}
	})
	var answered atomic.Int64
	for range 8 {
		group.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for {
				resp, err := c.Post("http://"+bound.Addr().String(), "text/plain", http.NoBody)
				if err != nil {
					var op *net.OpError
					if !errors.As(err, &op) || op.Op != "dial" {
						t.Errorf("a call was cut off: %v", err)
					}
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				answered.Add(1)
				time.Sleep(time.Millisecond)
			}
		})
	}
	if !eventually(func() bool { return answered.Load() > 100 }) {
		t.Error("no calls were answered")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	group.Wait()
}

func TestShutdownEndsWithItsTime(t *testing.T) {
	bound, err := listenTCP("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{})
	l := newListener("http", bound, &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done() // until it is cut off
	})}, nil, slog.New(slog.DiscardHandler))
	group := new(sync.WaitGroup)
	defer group.Wait()
	group.Go(func() {
		if err := l.serve(); err != nil {
			t.Error(err)
		}
	})
	group.Go(func() {
		if resp, err := http.Get("http://" + bound.Addr().String()); err == nil {
			resp.Body.Close()
			t.Error("the call that hangs was answered")
		}
	})
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want the end of its time", err)
	}
}
