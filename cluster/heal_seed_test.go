package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// A node whose state is lost gets it also where the region has no quorum without
// it.
func TestStateComesFromANodeWithoutLeader(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	for i := range p.Len() {
		p.Kill(i)
	}
	remove(t, append(p.snapshots(0), p.path(0, "state.db"))...)
	if err := p.Start(1); err != nil { // node 2 stays away
		t.Fatal(err)
	}
	if err := p.Start(0); err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patienceLimit)
	for p.complete(ctx, 0) != nil {
		if ctx.Err() != nil {
			t.Fatal(p.complete(context.Background(), 0))
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := p.metric(0, "meridian_state_rebuilds_total", "peer"); got != 1 {
		t.Errorf("rebuilt from a peer: %v", got)
	}
	p.write(3)
}

// While nobody can give it a state the node waits, is not ready, and says so.
func TestNodeWaitsForAState(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	for i := range p.Len() {
		p.Kill(i)
	}
	remove(t, append(p.snapshots(0), p.path(0, "state.db"))...)
	started := make(chan error, 1)
	go func() { started <- p.Start(0) }()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if p.metric(0, "meridian_state_seeding", "") == 1 && p.metric(0, "meridian_node_ready", "") == 0 && p.metric(0, "meridian_node_refuses", "starting") == 1 {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the node does not say that it waits")
		}
	}
	for i := range 2 {
		if err := p.Start(i + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	p.run(0)
}

// A lone node has nobody to ask.
func TestLoneNodeSaysThatItsStateIsLost(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Nodes: 1})
	p.Kill(0)
	remove(t, append(p.snapshots(0), p.path(0, "state.db"))...)
	if err := p.Start(0); !errors.Is(err, cluster.ErrLogGap) {
		t.Fatal(err)
	}
}
