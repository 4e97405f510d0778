package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/store"
)

// A leader that has just been cut off still takes itself for one, and its lease
// lives. A read index has to be proved to the others all the same: there may be a
// later leader, and a later write.
func TestReadIndexNeedsAQuorum(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		c.Timing.Heartbeat, c.Timing.LeaderLease = 2*time.Second, 2*time.Second
	}})
	for range 5 {
		leader := r.Leader()
		n := r.Node(leader)
		linearizable := func(d time.Duration) error {
			return n.ReadWith(within(t, d), cluster.ReadOptions{Linearizable: true}, func(*store.View) error { return nil })
		}
		if err := linearizable(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		r.Cut(leader)
		err := linearizable(300 * time.Millisecond)
		leads := n.Status().Role == "leader"
		r.Mend(leader)
		if !errors.Is(err, cluster.ErrUnavailable) {
			t.Fatalf("a leader that nobody hears gave a read index: %v", err)
		}
		if leads {
			return
		}
		r.WaitReady() // it was slow, and stepped down before it answered: try again
	}
	t.Fatal("the leader stepped down before it was asked, each time")
}

// A leader whose state lags behind its log does not open its term: it would give
// leases, its own first, for a state from before what was acknowledged.
func TestTermOpensWithAllThatWasAcknowledged(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	must(t, clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Describe(key, "before"))))
	heir := r.Follower()
	n := r.Node(heir)
	release := n.HangApply()
	defer func() { release() }()
	must(t, clustertest.Decide(r.Node(r.Leader()).Propose(ctx, clustertest.Describe(key, "acknowledged"))))
	for n.Status().Role != "leader" {
		if leader := r.Leader(); leader != heir {
			_ = r.Node(leader).HandTo(n)
		}
		if ctx.Err() != nil {
			t.Fatal("the node with a state that lags does not come to lead")
		}
		time.Sleep(time.Millisecond)
	}
	for until := time.Now().Add(time.Second); time.Now().Before(until) && n.Status().Role == "leader"; {
		look, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		text, err := descriptionOf(look, n, key)
		cancel()
		if err == nil && text != "acknowledged" {
			t.Fatalf("a new leader shows %q from before an acknowledged write", text)
		}
	}
	release()
	release = func() {}
	for {
		if text, err := descriptionOf(ctx, n, key); err == nil && text == "acknowledged" {
			return
		} else if ctx.Err() != nil || err == nil {
			t.Fatalf("once its state goes on: %q, %v", text, err)
		}
	}
}

// A write that left for the leader and has no answer is not one that has not
// started, whatever the error says.
func TestForwardedWriteWithoutAnAnswerIsUnknown(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		calm(c)
		c.Timing.Hold = 30 * time.Second
	}})
	leader, follower := r.Node(r.Leader()), r.Node(r.Follower())
	waitFor(t, func() bool { return leader.Pending() == 0 })
	release := leader.HangDisk()
	defer release()
	ctx, cancel := context.WithCancel(within(t, 20*time.Second))
	done := make(chan error, 1)
	go func() {
		_, err := clustertest.CreateKey(ctx, follower, regionName)
		done <- err
	}()
	waitFor(t, func() bool { return leader.Pending() > 0 })
	cancel()
	if err := <-done; !errors.Is(err, cluster.ErrOutcomeUnknown) {
		t.Errorf("%v, want an unknown outcome", err)
	}
}
