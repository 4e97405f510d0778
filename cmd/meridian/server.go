package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/cluster/api"
	"meridian/cmd/meridian/config"
)

func newServerCommand() *cobra.Command {
	var flags configFlags
	c := &cobra.Command{
		Use:   "server --config FILE",
		Short: "Run one node of a region",
		Long: `Runs one node of a region until SIGTERM or SIGINT, which stop it cleanly. SIGHUP
reads certificates and the log level again.

Health, metrics and status are on listen.ops: /healthz, /readyz (true only while
the node can decrypt), /metrics, /status.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && flags.file == "" {
				return fmt.Errorf("the configuration is named by a flag: meridian server --config %s", args[0])
			}
			return noArgs(c, args)
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if flags.file == "" {
				return usageError("which configuration? meridian server --config FILE")
			}
			l, err := flags.load()
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			return runServer(ctx, l, &flags, c.ErrOrStderr())
		},
	}
	flags.add(c)
	return c
}

// server is one running node with its listeners.
type server struct {
	cfg *config.Config
	log *slog.Logger
	// flushLog waits a moment until the log is written; no line comes after it.
	flushLog func()
	level    *slog.LevelVar
	metrics  *prometheus.Registry
	ops      *opsServer

	node        *cluster.Node
	identities  *access.Identities
	api         *api.Server
	certificate *certificate // nil without a TLS listener
	bound       bound
	listeners   []*listener
}

// runServer runs a node until ctx ends, then stops it in order. It writes its
// log to w, why it failed too: then the error that it returns has no text.
func runServer(ctx context.Context, l *config.Loaded, flags *configFlags, w io.Writer) error {
	s := &server{cfg: &l.Config, level: new(slog.LevelVar), metrics: newRegistry()}
	s.level.Set(logLevel(s.cfg.Log.Level))
	queue := newLogQueue(w)
	defer queue.Close()
	s.flushLog = queue.Close
	signal.Ignore(syscall.SIGPIPE) // a reader of the log that goes away ends nothing
	s.log = newLogger(queue, s.cfg.Log.Format, s.level, "region", s.cfg.Region.ID, "node", s.cfg.Node.ID)
	s.log.Info("The server starts.", "event", "server_starting", "version", versionText(), "pid", os.Getpid())

	err := s.run(ctx, flags)
	if err != nil && ctx.Err() == nil {
		if isTerminal(w) {
			return err // whoever sits there gets the line that every verb ends with
		}
		s.log.Error("The server failed.", "event", "server_failed", "error", joinLines(err))
		return &exitError{exitOf(err), nil}
	}
	s.log.Info("The server has stopped.", "event", "server_stopped")
	return nil
}

func (s *server) run(ctx context.Context, flags *configFlags) (err error) {
	s.prepareProcess()
	ctx = s.watchParent(ctx)

	// Everything that the configuration can have wrong comes before the node,
	// which may wait long for the others.
	if s.ops, err = startOps(s.cfg.Listen, s.metrics, s.log); err != nil {
		return err
	}
	defer s.ops.Close()
	s.ops.describe(s.formingStatus())
	defer s.bound.Close()
	if err := s.bind(); err != nil {
		return err
	}
	if err := s.readRootKey(); err != nil {
		return err
	}

	sealed, err := openSeal(s.cfg.Seal, s.log)
	if err != nil {
		return err
	}
	defer sealed.Close()

	if s.node, err = cluster.Open(ctx, s.clusterConfig(sealed)); err != nil {
		return fmt.Errorf("node %s: %w", s.cfg.Node.ID, err)
	}
	s.ops.serve(s.node)
	defer func() { err = errors.Join(err, s.stop()) }()

	if err := s.openAPI(); err != nil {
		return err
	}
	return s.serve(ctx, flags)
}

// serve answers until ctx ends or a listener fails.
func (s *server) serve(ctx context.Context, flags *configFlags) error {
	ctx, cancel := context.WithCancel(ctx)
	background := new(sync.WaitGroup)
	defer background.Wait()
	defer cancel()

	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before anybody can know that the server is there
	defer signal.Stop(hangup)
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		background.Go(func() { failed <- l.serve() })
		s.log.Info("The API is served.", "event", "listening", "listener", l.name, "address", l.Addr().String())
	}
	background.Go(func() { s.announceReady(ctx) })
	if s.certificate != nil {
		background.Go(func() {
			if err := s.certificate.Watch(ctx); err != nil {
				s.log.Warn("Changes of certificates go unseen; SIGHUP reloads too.", "event", "certificate_watch_failed", "error", err.Error())
			}
		})
	}
	for {
		select {
		case <-ctx.Done():
			s.log.Info("The server stops.", "event", "server_stopping")
			s.drain()
			return nil
		case err := <-failed:
			if err != nil {
				s.drain()
				return err
			}
		case <-hangup:
			s.reload(flags)
		}
	}
}

// announceReady says once, in the log and to the supervisor, that the node
// serves.
func (s *server) announceReady(ctx context.Context) {
	began := time.Now()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for s.ops.notReady(ctx) != nil {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
	s.log.Info("The node can decrypt.", "event", "server_ready", "after_ms", time.Since(began).Milliseconds())
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		s.log.Warn("The supervisor could not be told.", "event", "notify_failed", "error", err.Error())
	}
}

// drain stops taking requests and lets those that run end.
func (s *server) drain() {
	s.ops.draining()
	if _, err := daemon.SdNotify(false, daemon.SdNotifyStopping); err != nil {
		s.log.Warn("The supervisor could not be told.", "event", "notify_failed", "error", err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Shutdown.Grace)
	defer cancel()
	s.api.Drain()
	group := new(sync.WaitGroup)
	for _, l := range s.listeners {
		group.Go(func() {
			if err := l.Shutdown(ctx); err != nil {
				s.log.Warn("Requests were cut off.", "event", "drain_incomplete", "listener", l.name, "error", err.Error())
			}
		})
	}
	group.Wait()
}

// stop hands the node over and closes it, once nothing uses it: a leader that
// hands over while its own clients still write makes all writes wait longer.
func (s *server) stop() error {
	s.ops.draining()
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Shutdown.Grace)
	defer cancel()
	err := s.node.Shutdown(ctx)
	if s.api != nil {
		err = errors.Join(err, s.api.Close())
	}
	return err
}
