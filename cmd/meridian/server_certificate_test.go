package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	clustertransport "meridian/cluster/transport"
)

// writePair writes a fresh pair for localhost and returns its serial.
func writePair(t *testing.T, certFile, keyFile string) (serial string) {
	t.Helper()
	ca, err := clustertransport.NewCA("here-1")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue("n1", []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(path+".new", text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf.SerialNumber.String()
}

// shownSerial connects and answers the serial of the certificate it is shown.
func shownSerial(t *testing.T, address string) string {
	t.Helper()
	var serial string
	conn, err := tls.Dial("tcp", address, &tls.Config{
		InsecureSkipVerify: true, // it is looked at, not trusted
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			cert, err := x509.ParseCertificate(raw[0])
			if err == nil {
				serial = cert.SerialNumber.String()
			}
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	return serial
}

func TestCertificateIsReloaded(t *testing.T) {
	for _, kubernetes := range []bool{false, true} {
		t.Run(map[bool]string{false: "files replaced", true: "folder switched by a link"}[kubernetes], func(t *testing.T) {
			dir := t.TempDir()
			certFile, keyFile := filepath.Join(dir, "api.crt"), filepath.Join(dir, "api.key")
			replace := func() string { return writePair(t, certFile, keyFile) }
			if kubernetes {
				for _, name := range []string{"api.crt", "api.key"} {
					if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
						t.Fatal(err)
					}
				}
				version := 0
				replace = func() string {
					version++
					real := filepath.Join(dir, "..v"+string(rune('0'+version)))
					if err := os.Mkdir(real, 0o700); err != nil {
						t.Fatal(err)
					}
					serial := writePair(t, filepath.Join(real, "api.crt"), filepath.Join(real, "api.key"))
					if err := os.Symlink(filepath.Base(real), filepath.Join(dir, "..data_new")); err != nil {
						t.Fatal(err)
					}
					if err := os.Rename(filepath.Join(dir, "..data_new"), filepath.Join(dir, "..data")); err != nil {
						t.Fatal(err)
					}
					return serial
				}
			}
			first := replace()
			c, err := openCertificate(certFile, keyFile, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			group := new(sync.WaitGroup)
			defer group.Wait()
			defer cancel()
			group.Go(func() {
				if err := c.Watch(ctx); err != nil {
					t.Error(err)
				}
			})
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			group.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, tls.Server(conn, c.TLS())) // until the client goes
					conn.Close()
				}
			})
			if got := shownSerial(t, l.Addr().String()); got != first {
				t.Errorf("serial %s is shown, want %s", got, first)
			}
			// A change before the watch has begun goes unseen: make another now
			// and then.
			last, tries := "none", 0
			if !eventually(func() bool {
				if shownSerial(t, l.Addr().String()) == last {
					return true
				}
				if tries%100 == 0 {
					last = replace()
				}
				tries++
				return false
			}) {
				t.Error("the new certificate is not shown")
			}
		})
	}
}

func TestBrokenCertificateLeavesTheOldOne(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "api.crt"), filepath.Join(dir, "api.key")
	want := writePair(t, certFile, keyFile)
	c, err := openCertificate(certFile, keyFile, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Reload()
	if got := c.current.Load().Leaf.SerialNumber.String(); got != want {
		t.Errorf("serial %s, want %s", got, want)
	}
	if _, err := openCertificate(certFile, keyFile, slog.New(slog.DiscardHandler), prometheus.NewRegistry()); err == nil {
		t.Error("a broken key was accepted at start")
	}
}
