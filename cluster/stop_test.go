package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/store"
)

// A handler that panics must not keep the state from being closed.
func TestStopAfterAPanicInARead(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = r.Node(0).Read(within(t, 10*time.Second), func(*store.View) error { panic("in a read") })
	}()
	stopsSoon(t, r)
}

// A command that is refused before Raft sees it owes no answer to the stop.
func TestStopAfterACommandThatIsTooLarge(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1})
	ctx := within(t, 10*time.Second)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Node(0).Propose(ctx, clustertest.Describe(key, strings.Repeat("x", 1<<20))); !errors.Is(err, cluster.ErrRefused) {
		t.Errorf("a command of 1 MiB: %v", err)
	}
	// The node writes on its own account as well, now and then.
	waitFor(t, func() bool { return r.Node(0).Pending() == 0 })
	stopsSoon(t, r)
}

// stopsSoon stops the only node within the time that an orderly stop may take
// when nothing holds it up.
func stopsSoon(t *testing.T, r *clustertest.Region) {
	t.Helper()
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- r.Node(0).Shutdown(within(t, 5*time.Second)) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
		t.Logf("stopped in %v", time.Since(began))
	case <-time.After(30 * time.Second):
		t.Fatal("the node does not stop")
	}
}
