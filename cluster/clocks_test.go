package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// What the voters' clocks showed before the leader's jumped says nothing about
// it, also when nobody makes a call that would have them asked again.
func TestLeaderWhoseClockJumpsDoesNoDueWork(t *testing.T) {
	t.Run("quiet region", func(t *testing.T) { leaderClockJumps(t, false) })
	t.Run("one voter down", func(t *testing.T) { leaderClockJumps(t, true) })
}

func leaderClockJumps(t *testing.T, voterDown bool) {
	clocks, registries := make([]shiftedClock, 3), make([]*prometheus.Registry, 3)
	r := clustertest.New(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		registries[i] = prometheus.NewRegistry()
		c.Now, c.Metrics = clocks[i].now, registries[i]
	}})
	ctx := within(t, time.Minute)
	doomed, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	must(t, clustertest.Decide(r.Node(1).Propose(ctx, &storepb.Command{Body: &storepb.Command_ScheduleKeyDeletion{
		ScheduleKeyDeletion: &storepb.ScheduleKeyDeletion{KeyId: doomed[:], Days: 7},
	}})))
	rotating, version := crypto.NewKeyID(), crypto.NewVersionID()
	wrapped, err := r.Node(0).Wrap(crypto.MaterialOf(regionName, rotating, version, crypto.AlgorithmXAES256GCM), crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	must(t, err)
	must(t, clustertest.Decide(r.Node(0).Propose(ctx, &storepb.Command{Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{
		KeyId: rotating[:], VersionId: version[:], Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: wrapped, Creator: clustertest.Account,
		RotationIntervalMs: (7 * 24 * time.Hour).Milliseconds(),
	}}})))
	versionsOf := func(i int) (versions int) {
		_ = r.Node(i).Read(ctx, func(v *store.View) error {
			k, err := v.Key(rotating)
			if err == nil {
				versions = int(k.Versions)
			}
			return err
		})
		return versions
	}

	leader := r.Leader()
	for range 20 { // every voter's clock has been read, and was right
		_, err := stateOf(ctx, r, leader, doomed)
		must(t, err)
	}
	time.Sleep(300 * time.Millisecond)
	down := -1
	if voterDown {
		down = r.Follower()
		r.Kill(down)
	}
	const jump = int64(8 * 24 * time.Hour)
	clocks[leader].offset.Store(jump)
	time.Sleep(1500 * time.Millisecond) // nobody asks anything meanwhile
	if state, err := stateOf(ctx, r, leader, doomed); err != nil || state != store.PendingDeletion {
		t.Fatalf("the leader's clock alone destroyed a key: %v, %v", state, err)
	}
	if versions := versionsOf(leader); versions != 1 {
		t.Fatalf("the leader's clock alone rotated a key: %d versions", versions)
	}
	if r.Leader() == leader {
		waitFor(t, func() bool { return gather(t, registries[leader])["meridian_cluster_clock_alarm"] == 1 })
	}

	for i := range clocks {
		clocks[i].offset.Store(jump)
	}
	waitFor(t, func() bool {
		_, err := stateOf(ctx, r, leader, doomed)
		return errors.Is(err, store.ErrKeyNotFound) && versionsOf(leader) == 2
	})
	for i := range r.Len() {
		if i == down {
			continue
		}
		waitFor(t, func() bool { return gather(t, registries[i])["meridian_cluster_clock_alarm"] == 0 })
	}
}
