package cluster_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
)

// While the leader's disk hangs and Raft takes nothing more, each write ends with
// its caller, not with the calls before it, and only what never started is said
// to have failed.
func TestWritesOnAHungDiskEndWithTheirCallers(t *testing.T) {
	const callers = 200 // more than Raft's queue holds
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		c.Timing.Hold = 5 * time.Minute
	}})
	n := r.Node(0)
	release := n.HangDisk()
	resume := sync.OnceFunc(release)
	defer resume()
	var ended sync.WaitGroup
	keys, errs := make([]crypto.KeyID, callers), make([]error, callers)
	for i := range callers {
		ended.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			if i%2 == 0 {
				ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
			}
			defer cancel()
			time.AfterFunc(300*time.Millisecond, cancel) // a client that goes away has no deadline
			keys[i], errs[i] = clustertest.CreateKey(ctx, n, regionName)
		})
	}
	all := make(chan struct{})
	go func() { ended.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(time.Minute):
		t.Fatal("writes do not end with their callers")
	}
	resume()
	ctx := within(t, time.Minute)
	if _, err := clustertest.CreateKey(ctx, n, regionName); err != nil { // after all that Raft had taken
		t.Fatal(err)
	}
	doubts := 0
	for i, err := range errs {
		_, there := stateOf(ctx, r, 0, keys[i])
		switch {
		case errors.Is(err, cluster.ErrOutcomeUnknown):
			doubts++
		case !errors.Is(err, cluster.ErrUnavailable):
			t.Errorf("write %d: %v", i, err)
		case !errors.Is(there, store.ErrKeyNotFound):
			t.Errorf("write %d: it failed with %v, but took effect: %v", i, err, there)
		}
	}
	if doubts == 0 || doubts == callers {
		t.Errorf("%d of %d writes have no known outcome: the disk hung too late, or too early", doubts, callers)
	}
}
