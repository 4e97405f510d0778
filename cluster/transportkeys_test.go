package cluster_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/crypto/seal"
	"meridian/store"
	"meridian/store/storepb"
)

// lateRoot is a root key that opens a keyring at the third attempt: the first one is the proof of who made the keyring.
type lateRoot struct {
	seal.Provider
	asked atomic.Int32
}

func (p *lateRoot) Unwrap(ctx context.Context, w seal.Wrapped, aad []byte) (crypto.Secret, error) {
	if p.asked.Add(1) == 2 {
		return nil, errors.New("not yet")
	}
	return p.Provider.Unwrap(ctx, w, aad)
}

// A leader that made its region before its own keyring was open gives it a transport key once it is, and not only when
// it next looks for what is due.
func TestTransportKeyComesWithTheKeyring(t *testing.T) {
	root := &lateRoot{Provider: otherRoot(t)}
	clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		c.Seal, c.Timing.Jobs = root, time.Hour
	}})
	if asked := root.asked.Load(); asked != 3 {
		t.Errorf("the root key was asked %d times; want 3", asked)
	}
}

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
