package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cmd/meridian/config"
)

// fakeNode answers what it is told to.
type fakeNode struct {
	ready  error
	status cluster.Status
}

func (n *fakeNode) Ready(context.Context) error { return n.ready }
func (n *fakeNode) Status() cluster.Status      { return n.status }
func (n *fakeNode) Members(context.Context) ([]cluster.MemberStatus, error) {
	return nil, errors.New("nobody answers")
}

func TestOpsAnswers(t *testing.T) {
	healthy := cluster.Status{NodeID: "n1", Healthy: true}
	tests := []struct {
		name     string
		node     *fakeNode // nil: not open yet
		draining bool
		path     string
		status   int
		body     string
	}{
		{"ready", &fakeNode{status: healthy}, false, "/readyz", 200, "ready"},
		{"healthy", &fakeNode{status: healthy}, false, "/healthz", 200, "healthy"},
		{"not open yet", nil, false, "/readyz", 503, "not ready: starting"},
		{"alive before it is open", nil, false, "/healthz", 200, "healthy"},
		{"sealed", &fakeNode{status: healthy, ready: cluster.ErrSealed}, false, "/readyz", 503, "sealed"},
		{"sealed is not sick", &fakeNode{status: healthy, ready: cluster.ErrSealed}, false, "/healthz", 200, "healthy"},
		{"draining", &fakeNode{status: healthy}, true, "/readyz", 503, "not ready: stopping"},
		{"broken disk", &fakeNode{status: cluster.Status{Fault: "input/output error"}}, false, "/healthz", 503, "input/output error"},
		{"profiles are not here", &fakeNode{status: healthy}, false, "/debug/pprof/", 404, ""},
		{"metrics", nil, false, "/metrics", 200, "go_goroutines"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &opsServer{}
			if tt.node != nil {
				o.serve(tt.node)
			}
			if tt.draining {
				o.draining()
			}
			got := httptest.NewRecorder()
			o.handler(newRegistry()).ServeHTTP(got, httptest.NewRequest(http.MethodGet, tt.path, nil))
			if got.Code != tt.status || !strings.Contains(got.Body.String(), tt.body) {
				t.Errorf("%s: %d %q, want %d and %q", tt.path, got.Code, got.Body.String(), tt.status, tt.body)
			}
		})
	}
}

func TestOpsStatus(t *testing.T) {
	o := &opsServer{}
	ask := func() opsStatus {
		t.Helper()
		got := httptest.NewRecorder()
		o.handler(prometheus.NewRegistry()).ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/status", nil))
		var answer opsStatus
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%v: %s", err, got.Body.String())
		}
		return answer
	}
	if a := ask(); a.Ready || a.NotReady == "" || a.Status != nil || a.Members == nil {
		t.Errorf("before the node is open: %+v", a)
	}
	o.serve(&fakeNode{status: cluster.Status{NodeID: "n1", Role: "leader", Healthy: true}})
	if a := ask(); !a.Ready || a.Status == nil || a.Status.Role != "leader" || a.Error != "nobody answers" {
		t.Errorf("with a node: %+v", a)
	}
}

// The socket for profiles takes the place of an older one, and of nothing else.
func TestPprofSocketReplacesOnlySockets(t *testing.T) {
	dir := t.TempDir()
	start := func(path string) error {
		o, err := startOps(config.Listen{Pprof: config.PprofListener{Socket: path}}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		if err == nil {
			o.Close()
		}
		return err
	}
	old := filepath.Join(dir, "s")
	l, err := net.Listen("unix", old)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed process leaves it
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := start(old); err != nil {
		t.Errorf("over an old socket: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(file); err == nil || !strings.Contains(err.Error(), "listen.pprof") {
		t.Errorf("over a file: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file now holds %q, %v", text, err)
	}
}
