package cluster_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Versions of the transport key that were rotated away leave the memory of a node,
// as all do when it stops.
func TestTransportKeysLeaveMemory(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1})
	ctx := within(t, time.Minute)
	n := r.Node(0)
	newest := func() (version uint32) {
		t.Helper()
		must(t, n.Read(ctx, func(v *store.View) error {
			record, err := v.TransportKey(0)
			if err != nil {
				return err
			}
			version = record.Version
			k, err := n.TransportKey(v, 0)
			if err != nil {
				return err
			}
			again, err := n.TransportKey(v, version)
			if again != k {
				t.Errorf("version %d is not kept", version)
			}
			return err
		}))
		return version
	}
	var first *crypto.TransportKey
	waitFor(t, func() bool {
		return n.Read(ctx, func(v *store.View) (err error) {
			first, err = n.TransportKey(v, 1)
			return err
		}) == nil
	})
	journey := crypto.Journey{From: "cn-a", To: regionName, Version: 1, Purpose: crypto.CarriesTagKey}
	message, err := first.Public().Seal(journey, []byte("x"))
	must(t, err)
	for version := uint32(1); version < 4; version++ {
		if got := newest(); got != version {
			t.Fatalf("version %d; want %d", got, version)
		}
		want := []uint32{version}
		if version > 1 {
			want = []uint32{version - 1, version}
		}
		if got := slices.Sorted(maps.Keys(n.ReadyTransportKeys())); !slices.Equal(got, want) {
			t.Errorf("versions %v are in memory; want %v", got, want)
		}
		command, err := n.NewTransportKey(version)
		must(t, err)
		must(t, clustertest.Decide(n.Propose(ctx, &storepb.Command{Body: &storepb.Command_AddTransportKey{AddTransportKey: command}})))
	}
	if plaintext, err := first.Open(journey, message); err != nil || string(plaintext) != "x" {
		t.Errorf("a call under way is disturbed: %v", err)
	}
	must(t, r.Stop(0))
	if len(n.ReadyTransportKeys()) != 0 {
		t.Error("transport keys are in memory after the node has stopped")
	}
}
