package cluster_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store/storepb"
)

// Where the region has as many key versions as it may, rotations that are due wait:
// visibly, and without a command in each look.
func TestRotationStopsAtTheLimitOfVersions(t *testing.T) {
	var clock shiftedClock
	var looks atomic.Int64
	registry := prometheus.NewRegistry()
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		c.Now = func() time.Time { looks.Add(1); return clock.now() }
		c.KeyVersions, c.Metrics = 4, registry
	}})
	ctx, n := within(t, time.Minute), r.Node(0)
	var keys []crypto.KeyID
	for range 3 {
		key, err := clustertest.CreateKeyWith(ctx, n, regionName, &storepb.CreateKey{
			Algorithm: uint32(crypto.AlgorithmXAES256GCM), RotationIntervalMs: week.Milliseconds(),
		})
		must(t, err)
		keys = append(keys, key)
	}
	rotated := func() (done int) {
		for _, key := range keys {
			_, versions, err := sealOn(ctx, n, key)
			if err == nil && versions == 2 {
				done++
			}
		}
		return done
	}
	if gather(t, registry)["meridian_cluster_rotations_held"] != 0 {
		t.Error("an alarm before anything is due")
	}
	clock.offset.Store(int64(week + time.Hour))
	waitFor(t, func() bool { return gather(t, registry)["meridian_cluster_rotations_held"] == 1 })
	if done := rotated(); done != 1 { // there was room for one
		t.Fatalf("%d keys were rotated", done)
	}
	applied, seen := n.Applied(), looks.Load()
	waitFor(t, func() bool { return looks.Load() > seen+20 })
	if n.Applied() != applied {
		t.Errorf("%d commands while nothing can be done", n.Applied()-applied)
	}
	// Keys that are gone make room.
	for _, key := range keys {
		_, versions, err := sealOn(ctx, n, key)
		must(t, err)
		if versions == 1 {
			continue
		}
		must(t, clustertest.Decide(n.Propose(ctx, &storepb.Command{Body: &storepb.Command_ScheduleKeyDeletion{
			ScheduleKeyDeletion: &storepb.ScheduleKeyDeletion{KeyId: key[:], Days: 1},
		}})))
		break
	}
	clock.offset.Store(int64(week + 26*time.Hour))
	waitFor(t, func() bool { return rotated() == 2 && gather(t, registry)["meridian_cluster_rotations_held"] == 0 })
}
