package cluster_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// disks are the free space of each node's disk: nearly none, or plenty.
type disks [3]atomic.Bool

func (d *disks) configure(i int, c *cluster.Config) {
	c.Disk.MinFree = 50 << 20
	c.Disk.Free = func(string) (uint64, error) {
		if d[i].Load() {
			return 40 << 20, nil
		}
		return 100 << 20, nil
	}
}

// Followers whose disks are nearly full must not be filled to the last byte as
// long as the region needs them: without a majority nothing goes through.
func TestWritesNeedAMajorityWithRoom(t *testing.T) {
	var low disks
	r := clustertest.New(t, clustertest.Options{Configure: low.configure})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	leader := r.Leader()
	first, second := (leader+1)%3, (leader+2)%3
	set := func(i int, full bool) {
		low[i].Store(full)
		r.Node(i).LookAtDisk()
	}
	write := func(i int) error {
		return clustertest.Decide(r.Node(i).Propose(ctx, clustertest.Describe(key, "x")))
	}
	refuses := func(i int, name string) {
		t.Helper()
		waitFor(t, func() bool { return write(i) != nil })
		var full *cluster.DiskFullError
		if err := write(i); !errors.As(err, &full) || !errors.Is(err, cluster.ErrDiskFull) || name != "" && full.Node != name {
			t.Errorf("node %d: %v, want a full disk at %q", i, err, name)
		}
		must(t, clustertest.Decide(r.Node(i).Propose(ctx, clustertest.Disable(key))))
		must(t, clustertest.Decide(r.Node(i).Propose(ctx, schedule(key))))
		must(t, clustertest.Decide(r.Node(i).Propose(ctx, cancelDeletion(key))))
	}
	set(first, true)
	for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); { // some renewals
		must(t, write(leader)) // two of three have room
	}
	set(second, true)
	refuses(leader, "")
	refuses(first, "")
	set(second, false)
	waitFor(t, func() bool { return write(second) == nil })
	if now := r.Leader(); now != leader { // a busy machine
		must(t, r.Node(now).HandTo(r.Node(leader)))
		waitFor(t, func() bool { return r.Leader() == leader })
	}
	r.Kill(second) // of the two that are left one has no room
	refuses(leader, r.Node(first).Status().NodeID)
}

// When only the leader's disk stays nearly full, a node that has room takes over.
func TestLeadershipGoesWhereThereIsRoom(t *testing.T) {
	var low disks
	r := clustertest.New(t, clustertest.Options{Configure: low.configure})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	leader := r.Leader()
	low[leader].Store(true)
	r.Node(leader).LookAtDisk()
	r.Node(leader).LookAtDisk()
	waitFor(t, func() bool { return r.Leader() != leader })
	waitFor(t, func() bool {
		return clustertest.Decide(r.Node(leader).Propose(ctx, clustertest.Describe(key, "x"))) == nil
	})
}
