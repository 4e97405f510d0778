package cluster_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// What a log that was lost or swapped hid from the node nobody can bring back: it
// refuses, with advice.
func TestLostLogIsRefused(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	const i = 0
	if err := p.Stop(i); err != nil {
		t.Fatal(err)
	}
	copyFile(t, p.path(i, "raft.db"), p.path(i, "older"))
	p.write(3)
	p.run(i)
	for j := range p.Len() {
		if err := p.Stop(j); err != nil {
			t.Fatal(err)
		}
	}
	remove(t, p.snapshots(i)...) // else the log need not reach so far
	copyFile(t, p.path(i, "raft.db"), p.path(i, "good"))
	tests := []struct {
		name string
		want error
		do   func()
	}{
		{"deleted", cluster.ErrNoLog, func() { remove(t, p.path(i, "raft.db")) }},
		{"emptied", cluster.ErrNoLog, func() { truncate(t, p.path(i, "raft.db"), 0) }},
		{"cut short", cluster.ErrNoLog, func() { truncate(t, p.path(i, "raft.db"), 1000) }},
		{"overwritten", cluster.ErrNoLog, func() {
			if err := os.WriteFile(p.path(i, "raft.db"), make([]byte, 1<<16), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"of another node", cluster.ErrForeignData, func() { copyFile(t, p.path(1, "raft.db"), p.path(i, "raft.db")) }},
		{"of an earlier time", cluster.ErrLogTail, func() { copyFile(t, p.path(i, "older"), p.path(i, "raft.db")) }},
	}
	for _, test := range tests {
		test.do()
		err := p.Start(i)
		if !errors.Is(err, test.want) {
			// A folder without raft.db is started in the background.
			for limit := time.Now().Add(30 * time.Second); err == nil && time.Now().Before(limit); time.Sleep(time.Millisecond) {
				err = p.Exited(i)
			}
		}
		if !errors.Is(err, test.want) {
			t.Errorf("log %s: %v, want %v", test.name, err, test.want)
		}
		copyFile(t, p.path(i, "good"), p.path(i, "raft.db"))
	}
	for j := range p.Len() {
		if err := p.Start(j); err != nil {
			t.Fatal(err)
		}
	}
	p.run(i)
}
