package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
)

// settle is how long the files of a certificate must have been quiet before
// they are read: certificate and key are two files and change one after the
// other.
const settle = 200 * time.Millisecond

// certificate is the API's certificate and key, read again when their files
// change. A pair that cannot be used leaves the old one in place.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[tls.Certificate]
}

// openCertificate reads the pair and registers its expiry with metrics.
func openCertificate(certFile, keyFile string, log *slog.Logger, metrics prometheus.Registerer) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(); err != nil {
		return nil, err
	}
	expiry := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "meridian_certificate_not_after_seconds",
		Help:        "When the listener's certificate expires, in seconds since 1970.",
		ConstLabels: prometheus.Labels{"listener": "api"},
	}, func() float64 { return float64(c.current.Load().Leaf.NotAfter.Unix()) })
	return c, metrics.Register(expiry)
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("%s expired on %s", c.certFile, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	c.current.Store(&pair)
	return nil
}

// Reload reads the files again and says so in the log.
func (c *certificate) Reload() {
	if err := c.load(); err != nil {
		c.log.Error("The certificate was not reloaded; the old one stays.", "event", "certificate_reload_failed", "error", err.Error())
		return
	}
	c.log.Info("The certificate is reloaded.", "event", "certificate_reloaded", "not_after", c.current.Load().Leaf.NotAfter)
}

// TLS is the configuration of a listener that always shows the newest pair.
func (c *certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}

// Watch reloads when the files change, until ctx ends. It watches their
// folders: what replaces files by renaming or switches a link to a folder, as
// Kubernetes does, would be lost on the files themselves.
func (c *certificate) Watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer watcher.Close()
	for _, dir := range []string{filepath.Dir(c.certFile), filepath.Dir(c.keyFile)} {
		if err := watcher.Add(dir); err != nil {
			return err
		}
	}
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-watcher.Events:
			if !ok {
				return errors.New("the watch ended")
			}
			if c.concerns(e) {
				quiet.Reset(settle)
			}
		case <-quiet.C:
			c.Reload()
		case err, ok := <-watcher.Errors:
			if !ok {
				return errors.New("the watch ended")
			}
			c.log.Warn("Changes of certificates may go unseen; SIGHUP reloads too.", "event", "certificate_watch_failed", "error", err.Error())
		}
	}
}

// concerns says whether an event may have changed the pair: its files by name,
// or the link ..data that Kubernetes switches.
func (c *certificate) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	return e.Name == c.certFile || e.Name == c.keyFile || filepath.Base(e.Name) == "..data"
}
