package cluster_test

import (
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// TestStoppedLeaderIsNotWaitedFor stops leaders cleanly, one after the other: no
// write may wait for the lease that a stopped one held (rule 13).
func TestStoppedLeaderIsNotWaitedFor(t *testing.T) {
	const lease = 20 * time.Second
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		c.Timing.Lease, c.Timing.LeaseMargin, c.Timing.LeaseRenewal = lease, lease/20, 200*time.Millisecond
	}})
	ctx := within(t, 3*lease)
	for range 2 {
		leader := r.Leader()
		if err := r.Stop(leader); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := clustertest.CreateKey(ctx, r.Node((leader+1)%r.Len()), regionName); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > lease/2 {
			t.Errorf("a write took %v after the leader had stopped, with leases of %v", took, lease)
		}
		if err := r.Start(leader); err != nil {
			t.Fatal(err)
		}
		r.WaitReady()
	}
}
