package cluster_test

import (
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// TestFollowersHearOfACommitAtOnce: without another write, and with a
// CommitTimeout that never comes, followers have applied what is answered. They
// would else be waited for until their leases have ended.
func TestFollowersHearOfACommitAtOnce(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.Commit = time.Hour }})
	leader := r.Node(r.Leader())
	key, err := clustertest.CreateKey(t.Context(), leader, regionName)
	if err != nil {
		t.Fatal(err)
	}
	const writes = 20
	late := 0
	for range writes {
		if err := clustertest.Decide(leader.Propose(t.Context(), clustertest.Describe(key, "x"))); err != nil {
			t.Fatal(err)
		}
		for i := range r.Len() {
			if r.Node(i).Applied() < leader.Applied() {
				late++
			}
		}
	}
	// A message may be lost, and a lease may end on a busy machine.
	if late > writes/2 {
		t.Errorf("%d times a follower had not applied a write that was answered", late)
	}
}
