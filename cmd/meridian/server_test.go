package main

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
)

// TestStopLosesNoRequest stops a server under load: every request is answered,
// or its connection was refused.
func TestStopLosesNoRequest(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 1)
	region := r.layout.Regions[0]
	node := region.Nodes[0]
	id := makeKey(t, r.client(region))
	var clients sync.WaitGroup
	for range 8 {
		c := r.client(region)
		clients.Go(func() {
			for {
				_, err := c.Do(t.Context(), "EnableKey", map[string]string{"KeyId": id}, nil)
				if errors.Is(err, syscall.ECONNREFUSED) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Millisecond) // so that connections are idle at times
			}
		})
	}
	time.Sleep(200 * time.Millisecond) // a load, not a condition
	r.stop(node)
	clients.Wait()
}

// TestServerLifecycle takes one server through a clean stop, a start without its
// root key, and back.
func TestServerLifecycle(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 1)
	region := r.layout.Regions[0]
	node := region.Nodes[0]
	c := r.client(region)
	id := makeKey(t, c)
	blob := must[cryptAnswer](t, c, "Encrypt", map[string]string{"KeyId": id, "Plaintext": "aGVsbG8="}).CiphertextBlob

	// The node serves some milliseconds before it says so.
	if !eventually(func() bool { return slices.Contains(logEvents(t, node), "server_ready") }) {
		t.Error("the log never says that the server is ready")
	}
	r.stop(node)
	events := logEvents(t, node)
	for _, want := range []string{"server_starting", "listening", "server_ready", "server_stopping", "server_stopped"} {
		if !slices.Contains(events, want) {
			t.Errorf("the log has no event %q: %v", want, events)
		}
	}

	// Without its root key the node serves no crypto, says so, and lives.
	rootKey := filepath.Join(region.Dir, "root.key")
	away := rootKey + ".away"
	if err := os.Rename(rootKey, away); err != nil {
		t.Fatal(err)
	}
	r.start(node)
	var last string
	if !eventually(func() bool {
		status, body := tryGet(node.OpsURL() + "/readyz")
		last = body
		return status == http.StatusServiceUnavailable && strings.Contains(body, "sealed")
	}) {
		t.Fatalf("readiness without a root key: %q", last)
	}
	if status, body := r.get(node, "/healthz"); status != http.StatusOK {
		t.Errorf("health without a root key: %d %s", status, body)
	}
	if !eventually(func() bool {
		_, err := c.Do(t.Context(), "Decrypt", map[string]string{"CiphertextBlob": blob}, nil)
		var answer *client.Error
		return errors.As(err, &answer) && answer.Status == http.StatusServiceUnavailable
	}) {
		t.Error("Decrypt is not refused with 503 while the node is sealed")
	}

	// With it, it unseals by itself and everything is as before.
	if err := os.Rename(away, rootKey); err != nil {
		t.Fatal(err)
	}
	r.waitReady(node)
	if got := must[cryptAnswer](t, c, "Decrypt", map[string]string{"CiphertextBlob": blob}).Plaintext; got != "aGVsbG8=" {
		t.Error("the blob of before decrypts to something else")
	}

	// A root key that others can read is refused.
	r.stop(node)
	if err := os.Chmod(rootKey, 0o644); err != nil {
		t.Fatal(err)
	}
	r.start(node)
	<-r.running[node].Done()
	if got := r.running[node].Ending(); got != "exit status 1" {
		t.Errorf("with a root key open to others the server ended with %s", got)
	}
}

// tryGet reads a page that may not be there.
func tryGet(url string) (status int, body string) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// TestServersOfARegion looks at three servers: what they report, that they
// reload, and that a server told to stop finishes what it has begun.
func TestServersOfARegion(t *testing.T) {
	t.Parallel()
	r := startRegions(t, 1, 3, "shutdown.grace=20s")
	region := r.layout.Regions[0]
	leader := r.leader(region)

	t.Run("metrics", func(t *testing.T) {
		makeKey(t, r.client(region))
		for _, n := range region.Nodes {
			_, text := r.get(n, "/metrics")
			want := "meridian_raft_is_leader 0"
			if n == leader {
				want = "meridian_raft_is_leader 1"
			}
			if !strings.Contains(text, "\n"+want+"\n") {
				t.Errorf("%s does not report %q", n.ID, want)
			}
			for _, family := range []string{"go_goroutines", "process_resident_memory_bytes", `meridian_certificate_not_after_seconds{listener="api"}`, `meridian_certificate_not_after_seconds{listener="cluster"}`} {
				if !strings.Contains(text, family) {
					t.Errorf("%s has no family %s", n.ID, family)
				}
			}
		}
		_, text := r.get(leader, "/metrics")
		for _, family := range []string{"raft_apply", "raft_commitTime", "raft_fsm_apply"} {
			if !strings.Contains(text, "\n"+family) && !strings.Contains(text, "_"+family) {
				t.Errorf("the leader shows no family %s", family)
			}
		}
	})

	t.Run("private", func(t *testing.T) {
		for _, n := range region.Nodes {
			err := filepath.WalkDir(n.DataDir, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err == nil && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s has mode %04o", path, info.Mode().Perm())
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			limits, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.running[n].PID()), "limits"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 0") {
				t.Errorf("%s may dump core", n.ID)
			}
		}
	})

	t.Run("reload", func(t *testing.T) {
		n := region.Nodes[0]
		config, err := os.ReadFile(n.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		reload := func(text, event string) {
			t.Helper()
			if err := os.WriteFile(n.ConfigFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r.running[n].Signal(syscall.SIGHUP)
			if !eventually(func() bool { return slices.Contains(logEvents(t, n), event) }) {
				t.Errorf("no event %s: %v", event, logEvents(t, n))
			}
		}
		reload(string(config)+"log: {level: debug}\nmemory: {gogc: 300}\n", "config_needs_restart")
		reload(string(config)+"log: {level: loud}\n", "config_reload_failed")
		if !slices.Contains(logEvents(t, n), "certificate_reloaded") {
			t.Error("the certificate was not reloaded")
		}
		if err := os.WriteFile(n.ConfigFile, config, 0o600); err != nil {
			t.Fatal(err)
		}
		r.waitReady(n)
	})

	t.Run("finishes requests", func(t *testing.T) {
		// With the leader gone a call is held on the others until there is a
		// new one. A server that is told to stop meanwhile answers it first.
		survivors := others(region, leader)
		c := r.client(region, survivors[0])
		id := makeKey(t, c)
		r.kill(leader)
		type outcome struct {
			err  error
			took time.Duration
		}
		answered := make(chan outcome, 1)
		began := time.Now()
		go func() {
			_, err := c.Do(t.Context(), "Encrypt", map[string]string{
				"KeyId": id, "Plaintext": base64.StdEncoding.EncodeToString([]byte("held")),
			}, nil)
			answered <- outcome{err, time.Since(began)}
		}()
		if !eventually(func() bool { return requestsInFlight(survivors[0]) || len(answered) > 0 }) {
			t.Fatal("the call did not arrive")
		}
		r.stop(survivors[0])
		if o := <-answered; o.err != nil {
			t.Errorf("the call that was running failed after %s: %v", o.took, o.err)
		}
	})
}

// requestsInFlight says whether a server works on a request.
func requestsInFlight(n *devregion.Node) bool {
	_, text := tryGet(n.OpsURL() + "/metrics")
	_, rest, ok := strings.Cut(text, "\nmeridian_api_requests_in_flight ")
	return ok && !strings.HasPrefix(rest, "0\n")
}
