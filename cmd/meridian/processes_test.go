package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
)

// patience bounds every wait of a test: far beyond what is normal, so that only
// a fault reaches it.
const patience = 60 * time.Second

// eventually waits until a condition holds and says whether it does.
func eventually(holds func() bool) bool {
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// processesWith lists the processes that have a text in their command line,
// ours aside.
func processesWith(text string) []string {
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	var found []string
	for _, path := range entries {
		pid := filepath.Base(filepath.Dir(path))
		line, err := os.ReadFile(path)
		if err == nil && pid != fmt.Sprint(os.Getpid()) && bytes.Contains(line, []byte(text)) {
			found = append(found, pid+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}

// regions are regions of real server processes that end with their test.
type regions struct {
	t        testing.TB
	layout   *devregion.Layout
	launcher *devregion.Launcher
	running  map[*devregion.Node]*devregion.Process
}

// startRegions starts regions of nodes servers each, with further configuration
// values as PATH=VALUE, and waits until every server can decrypt. A test that
// fails shows the end of each server's log.
func startRegions(t testing.TB, count, nodes int, set ...string) *regions {
	t.Helper()
	layout, err := devregion.Prepare(devregion.Options{Dir: t.TempDir(), Regions: count, Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	r := &regions{t: t, layout: layout, launcher: &devregion.Launcher{Binary: binary}, running: map[*devregion.Node]*devregion.Process{}}
	for _, s := range set {
		r.launcher.Args = append(r.launcher.Args, "--set", s)
	}
	t.Cleanup(r.end)
	r.start(layout.Nodes()...)
	r.waitReady(layout.Nodes()...)
	return r
}

func (r *regions) end() {
	for _, p := range r.running {
		p.Kill()
	}
	r.launcher.Close()
	if r.t.Failed() {
		for _, n := range r.layout.Nodes() {
			r.t.Logf("%s%s", n.ID, n.LogTail())
		}
	}
}

// start starts servers, or starts them again, and does not wait for them.
func (r *regions) start(nodes ...*devregion.Node) {
	r.t.Helper()
	for _, n := range nodes {
		p, err := r.launcher.Start(n)
		if err != nil {
			r.t.Fatal(err)
		}
		r.running[n] = p
	}
}

// waitReady waits until servers can decrypt.
func (r *regions) waitReady(nodes ...*devregion.Node) {
	r.t.Helper()
	var processes []*devregion.Process
	for _, n := range nodes {
		processes = append(processes, r.running[n])
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if err := devregion.WaitReady(ctx, processes); err != nil {
		r.t.Fatal(err)
	}
}

// kill ends servers with SIGKILL, all at once.
func (r *regions) kill(nodes ...*devregion.Node) {
	for _, n := range nodes {
		r.running[n].Signal(os.Kill)
	}
	for _, n := range nodes {
		<-r.running[n].Done()
	}
}

// stop stops servers cleanly; one that has to be killed or that reports a
// failure fails the test.
func (r *regions) stop(nodes ...*devregion.Node) {
	r.t.Helper()
	var processes []*devregion.Process
	for _, n := range nodes {
		processes = append(processes, r.running[n])
	}
	for _, late := range devregion.StopAll(processes, patience) {
		r.t.Errorf("%s did not stop", late.ID)
	}
	for _, p := range processes {
		if p.Ending() != "exit status 0" {
			r.t.Errorf("%s ended with %s%s", p.Node.ID, p.Ending(), p.Node.LogTail())
		}
	}
}

// leader waits until a region has a leader and answers it.
func (r *regions) leader(region *devregion.Region) *devregion.Node {
	r.t.Helper()
	var leader *devregion.Node
	if !eventually(func() bool {
		var err error
		leader, err = leaderOf(r.t.Context(), region)
		return err == nil
	}) {
		r.t.Fatalf("%s has no leader", region.ID)
	}
	return leader
}

// others are the nodes of a region but one.
func others(region *devregion.Region, but *devregion.Node) []*devregion.Node {
	var list []*devregion.Node
	for _, n := range region.Nodes {
		if n != but {
			list = append(list, n)
		}
	}
	return list
}

// client calls nodes of a region in the order given; all of them if none is.
func (r *regions) client(region *devregion.Region, nodes ...*devregion.Node) *client.Client {
	r.t.Helper()
	if len(nodes) == 0 {
		nodes = region.Nodes
	}
	c, err := devClient(region, nodes...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// must calls an action that has to succeed, and decodes its answer.
func must[T any](t testing.TB, c *client.Client, action string, params map[string]string) T {
	t.Helper()
	var out T
	if _, err := c.Do(t.Context(), action, params, &out); err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	return out
}

// Answers, as far as tests look at them.
type (
	keyAnswer struct {
		KeyMetadata struct{ KeyId, KeyState string }
	}
	cryptAnswer struct{ KeyId, CiphertextBlob, Plaintext string }
)

// makeKey makes a key and returns its id.
func makeKey(t testing.TB, c *client.Client) string {
	t.Helper()
	return must[keyAnswer](t, c, "CreateKey", nil).KeyMetadata.KeyId
}

// get reads a page of a server's ops listener.
func (r *regions) get(n *devregion.Node, path string) (status int, body string) {
	r.t.Helper()
	status, body = tryGet(n.OpsURL() + path)
	if status == 0 {
		r.t.Fatal(body)
	}
	return status, body
}

// logEvents are the names of the events in a server's log, in order.
func logEvents(t testing.TB, n *devregion.Node) []string {
	t.Helper()
	text, err := os.ReadFile(n.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for line := range strings.Lines(string(text)) {
		if _, rest, ok := strings.Cut(line, `"event":"`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			events = append(events, name)
		}
	}
	return events
}
