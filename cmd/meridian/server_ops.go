package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"meridian/cluster"
	"meridian/cmd/meridian/config"
)

// opsNode is the part of a node that is reported about. *cluster.Node is one.
type opsNode interface {
	Ready(ctx context.Context) error
	Status() cluster.Status
	Members(ctx context.Context) ([]cluster.MemberStatus, error)
}

// opsServer answers health, readiness, metrics and status. It starts before the
// node does and ends after it.
type opsServer struct {
	node     atomic.Pointer[opsNode]        // nil: not open yet
	before   atomic.Pointer[cluster.Status] // what is told of the node until it is open
	stopping atomic.Bool
	servers  []*http.Server
}

const (
	readyTimeout   = 3 * time.Second
	membersTimeout = 2 * time.Second
)

// startOps serves listen.ops, and Go's profiles on listen.pprof's socket.
func startOps(cfg config.Listen, metrics *prometheus.Registry, log *slog.Logger) (*opsServer, error) {
	o := &opsServer{}
	if cfg.Ops.Address != "" {
		l, err := bindTCP("listen.ops.address", cfg.Ops.Address)
		if err != nil {
			return nil, err
		}
		o.start(l, o.handler(metrics), log)
	}
	if socket := cfg.Pprof.Socket; socket != "" {
		if err := removeSocket(socket); err != nil {
			o.Close()
			return nil, fmt.Errorf("listen.pprof: %w", err)
		}
		l, err := net.Listen("unix", socket)
		if err != nil {
			o.Close()
			return nil, fmt.Errorf("listen.pprof: %w", err)
		}
		o.start(l, pprofHandler(), log)
	}
	return o, nil
}

// removeSocket removes the socket of an earlier process, and nothing else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("%s is there and is no socket", path)
	}
	return os.Remove(path)
}

func (o *opsServer) start(l net.Listener, h http.Handler, log *slog.Logger) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, IdleTimeout: 60 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	o.servers = append(o.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("Health and metrics are no longer served.", "event", "ops_failed", "error", err.Error())
		}
	}()
}

// Close ends all its listeners.
func (o *opsServer) Close() {
	for _, s := range o.servers {
		_ = s.Close() // the process ends: nobody is left to tell
	}
}

// serve makes a node the one that is reported about.
func (o *opsServer) serve(n opsNode) { o.node.Store(&n) }

// describe sets what is told of the node until it is open.
func (o *opsServer) describe(s cluster.Status) { o.before.Store(&s) }

// phase takes what the node does before it is open.
func (o *opsServer) phase(phase string) {
	s := cluster.Status{}
	if known := o.before.Load(); known != nil {
		s = *known
	}
	s.Phase = phase
	o.describe(s)
}

// draining makes the node not ready for good.
func (o *opsServer) draining() { o.stopping.Store(true) }

var (
	errStarting = errors.New("starting: the node is not open yet")
	errStopping = errors.New("stopping")
)

// notReady says why the node should get no requests; nil: it can decrypt now.
func (o *opsServer) notReady(ctx context.Context) error {
	if o.stopping.Load() {
		return errStopping
	}
	n := o.node.Load()
	if n == nil {
		if s := o.before.Load(); s != nil && s.Phase != "" {
			return errors.New(s.Phase)
		}
		return errStarting
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return (*n).Ready(ctx)
}

func (o *opsServer) handler(metrics *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", o.health)
	mux.HandleFunc("GET /readyz", o.ready)
	mux.HandleFunc("GET /status", o.status)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, opsElsewhere, http.StatusNotFound) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{Registry: metrics}))
	return mux
}

// opsElsewhere tells a client that has the wrong port.
const opsElsewhere = "This is the health listener of a Meridian node (listen.ops): /healthz, /readyz, /status, /metrics. The API is on listen.api."

// health answers whether the process is worth keeping.
func (o *opsServer) health(w http.ResponseWriter, _ *http.Request) {
	if n := o.node.Load(); n != nil {
		if s := (*n).Status(); !s.Healthy {
			http.Error(w, "not healthy: "+s.Fault, http.StatusServiceUnavailable)
			return
		}
	}
	writeText(w, "healthy\n")
}

// ready answers whether the node can decrypt now.
func (o *opsServer) ready(w http.ResponseWriter, r *http.Request) {
	if err := o.notReady(r.Context()); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	writeText(w, "ready\n")
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text)) // a caller that is gone needs no answer
}

// opsStatus is the answer of /status.
type opsStatus struct {
	Version  string                 `json:"version"`
	Ready    bool                   `json:"ready"`
	NotReady string                 `json:"not_ready,omitempty"` // why
	Status   *cluster.Status        `json:"status,omitempty"`    // until the node is open: who it is and what it waits for
	Members  []cluster.MemberStatus `json:"members"`             // what each member answers about itself
	Error    string                 `json:"error,omitempty"`     // why members are missing
}

// status answers what is known about the node and, through it, about its
// region.
func (o *opsServer) status(w http.ResponseWriter, r *http.Request) {
	answer := opsStatus{Version: versionText(), Members: []cluster.MemberStatus{}}
	if err := o.notReady(r.Context()); err != nil {
		answer.NotReady = err.Error()
	} else {
		answer.Ready = true
	}
	answer.Status = o.before.Load()
	if n := o.node.Load(); n != nil {
		status := (*n).Status()
		answer.Status = &status
		ctx, cancel := context.WithTimeout(r.Context(), membersTimeout)
		defer cancel()
		members, err := (*n).Members(ctx)
		if err != nil {
			answer.Error = err.Error()
		}
		answer.Members = append(answer.Members, members...)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer) // a caller that is gone needs no answer
}

// pprofHandler serves Go's profiles.
func pprofHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
