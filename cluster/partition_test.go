package cluster_test

import (
	"errors"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/store"
)

// A leader that is cut off hangs instead of refusing connections. Calls that wait
// for it must find the next leader, and it must not answer from the past.
func TestCutOffLeader(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.Hold = 4 * time.Second }})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	for round := range 3 {
		leader, follower := r.Leader(), r.Follower()
		command, before, after := clustertest.Disable(key), store.Enabled, store.Disabled
		if round%2 == 1 {
			command, before, after = clustertest.Enable(key), after, before
		}
		r.Cut(leader)
		started := time.Now()
		if err := clustertest.Decide(r.Node(follower).Propose(ctx, command)); err != nil {
			t.Fatalf("write while the leader hangs: %v", err)
		}
		t.Logf("write took %v", time.Since(started).Round(time.Millisecond))
		if state, err := stateOf(ctx, r, follower, key); err != nil || state != after {
			t.Fatalf("read while the leader hangs: %v, %v", state, err)
		}
		if state, err := stateOf(ctx, r, leader, key); !errors.Is(err, cluster.ErrUnavailable) {
			t.Fatalf("the cut-off leader answers %v, %v; the truth is %v, before it was %v", state, err, after, before)
		}
		r.Mend(leader)
		if state, err := stateOf(ctx, r, leader, key); err != nil || state != after {
			t.Fatalf("back on the network: %v, %v", state, err)
		}
		r.WaitReady()
	}
}

// A write that the leader has taken, and whose answer cannot come back, is settled
// by the next leader under the same id.
func TestWriteWhoseAnswerIsLost(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	for range 5 {
		leader, follower := r.Leader(), r.Follower()
		node := r.Node(follower)
		done := make(chan error, 1)
		command := createAlias("alias/lost", key)
		go func() { done <- clustertest.Decide(node.Propose(ctx, command)) }()
		// Anywhere between before the call and after the answer.
		time.Sleep(time.Duration(time.Now().UnixNano() % int64(8*time.Millisecond)))
		r.Kill(leader)
		if err := <-done; err != nil {
			t.Fatalf("outcome not definite: %v", err)
		}
		must(t, clustertest.Decide(node.Propose(ctx, deleteAlias("alias/lost"))))
		must(t, r.Start(leader))
		r.WaitReady()
	}
}
