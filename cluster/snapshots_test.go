package cluster_test

import (
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// A restored snapshot under load lies beyond the end of the log; the node starts
// again all the same.
func TestRestartAfterASnapshotBeyondTheLog(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Configure: shortLogs})
	i := p.Follower()
	p.Kill(i)
	p.write(80)
	p.run(i)
	for range 2 {
		p.Kill(i)
		p.write(1)
		p.run(i)
	}
}

// A node that goes away before the leader has its answer to the first entries
// after a snapshot gets them again, and no second snapshot.
func TestFirstEntriesAfterASnapshotMayComeAgain(t *testing.T) {
	t.Parallel()
	var keepLog atomic.Int32 // of the node with this number
	keepLog.Store(-1)
	p := newPatient(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		shortLogs(i, c)
		if int32(i) == keepLog.Load() {
			c.Timing.SnapshotInterval = time.Hour
		}
	}})
	i := p.Follower()
	p.Kill(i)
	keepLog.Store(int32(i))
	p.write(80)
	p.run(i)
	p.write(1)
	p.run(i)
	p.Kill(i)
	p.run(i)
	follows := false
	for limit := time.Now().Add(10 * time.Second); !follows; time.Sleep(10 * time.Millisecond) {
		var err error
		if follows, err = p.Node(p.Leader()).SendAgain(p.Node(i)); time.Now().After(limit) {
			t.Fatalf("the entries behind the snapshot were not taken again: %v", err)
		}
	}
	p.write(1)
	p.run(i)
}

// A node that makes a snapshot while it takes one of the leader's comes to an end
// with both.
func TestSnapshotsOfNodeAndLeaderMeet(t *testing.T) {
	t.Parallel()
	var p *patient
	var meeting atomic.Int32 // the node with this number; -1: none
	meeting.Store(-1)
	asked := make(chan error, 1)
	free := func(i int) {
		// Raft's main goroutine has just begun to take the leader's snapshot.
		if int32(i) != meeting.Load() || !strings.Contains(string(debug.Stack()), "installSnapshot") || !meeting.CompareAndSwap(int32(i), -1) {
			return
		}
		n := p.Node(i)
		go func() { asked <- n.TakeSnapshot() }()
		for limit := time.Now().Add(10 * time.Second); !n.SnapshotWaits(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Error("the node's own snapshot does not wait for Raft's main goroutine")
				return
			}
		}
	}
	p = newPatient(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		shortLogs(i, c)
		c.Disk.Free = func(string) (uint64, error) {
			free(i)
			return 1 << 40, nil
		}
	}})
	i := p.Follower()
	p.Cut(i)
	p.write(80)
	meeting.Store(int32(i))
	p.Mend(i)
	ctx := within(t, 30*time.Second)
	select {
	case err := <-asked:
		t.Log("the node's own snapshot:", err)
	case <-ctx.Done():
		t.Fatal("the node's own snapshot did not come to an end")
	}
	p.run(i)
	p.write(20)
	p.run(i)
}
