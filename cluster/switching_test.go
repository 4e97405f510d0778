package cluster_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
)

// addBadVersion does the first half of a rotation with material that does not open.
func addBadVersion(ctx context.Context, t *testing.T, n *cluster.Node, key crypto.KeyID) crypto.VersionID {
	t.Helper()
	primary, err := primaryOn(ctx, n, key)
	must(t, err)
	place := crypto.MaterialOf(regionName, key, crypto.NewVersionID(), crypto.AlgorithmXAES256GCM)
	wrapped, err := clustertest.NewVersion(n, place)
	must(t, err)
	wrapped[len(wrapped)-1] ^= 1
	must(t, clustertest.Decide(n.Propose(ctx, clustertest.AddVersion(place, wrapped, primary))))
	return place.VersionID
}

// Material that does not do what it is for never comes into use: another is made
// in its place, and it keeps no other key from its rotation.
func TestBadMaterialIsReplaced(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		c.Timing.Hold, c.Metrics = 2*time.Second, registry
	}})
	ctx, n := within(t, time.Minute), r.Node(0)
	var keys, primaries = [2]crypto.KeyID{}, [2]crypto.VersionID{}
	for i := range keys {
		var err error
		keys[i], err = clustertest.CreateKey(ctx, n, regionName)
		must(t, err)
		primaries[i], err = primaryOn(ctx, n, keys[i])
		must(t, err)
	}
	used, disabled := keys[0], keys[1]
	bad, badOfDisabled := addBadVersion(ctx, t, n, used), addBadVersion(ctx, t, n, disabled)
	must(t, clustertest.Decide(n.Propose(ctx, clustertest.Disable(disabled))))
	waitFor(t, func() bool { return gather(t, registry)["meridian_cluster_versions_waiting"] == 2 })
	if now, err := primaryOn(ctx, n, used); err != nil || now != primaries[0] {
		t.Errorf("primary version %s, %v; want %s", now, err, primaries[0])
	}

	gone := func(key crypto.KeyID, bad crypto.VersionID) (replaced bool) {
		must(t, n.Read(ctx, func(v *store.View) error {
			k, err := v.Key(key)
			if err != nil {
				return err
			}
			if k.PrimaryVersion == bad {
				t.Fatal("a version that does not work is primary")
			}
			_, err = v.Version(key, bad)
			replaced = err == store.ErrVersionNotFound && k.NextVersion.IsZero() && k.Versions == 2
			return nil
		}))
		return replaced
	}
	waitFor(t, func() bool { return gone(used, bad) })
	if now, err := primaryOn(ctx, n, used); err != nil || now == primaries[0] {
		t.Errorf("primary version %s, %v; want another", now, err)
	}
	if s, _, err := sealOn(ctx, n, used); err != nil || openOn(ctx, n, used, s) != nil {
		t.Errorf("the key cannot be used: %v", err)
	}

	for range 2 { // each is finished in a later look than the bad one was tried in
		good, err := clustertest.CreateKey(ctx, n, regionName)
		must(t, err)
		version, err := addVersion(ctx, n, good)
		must(t, err)
		waitFor(t, func() bool {
			now, err := primaryOn(ctx, n, good)
			return err == nil && now == version
		})
	}
	if gone(disabled, badOfDisabled) {
		t.Error("a key that is not enabled got material")
	}
	if figures := gather(t, registry); figures["meridian_cluster_bad_versions_total"] != 2 { // however often they are looked at
		t.Errorf("%v bad versions counted, want 2", figures["meridian_cluster_bad_versions_total"])
	}
	must(t, clustertest.Decide(n.Propose(ctx, clustertest.Enable(disabled))))
	waitFor(t, func() bool { return gone(disabled, badOfDisabled) })
	waitFor(t, func() bool { return gather(t, registry)["meridian_cluster_versions_waiting"] == 0 })
}
