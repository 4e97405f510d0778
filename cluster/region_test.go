package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
)

const regionName = "cn-test-1"

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// stateOf reads a key's state on a node.
func stateOf(ctx context.Context, r *clustertest.Region, i int, key crypto.KeyID) (state store.KeyState, err error) {
	n := r.Node(i)
	if n == nil {
		return 0, fmt.Errorf("node %d does not run", i)
	}
	err = n.Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err == nil {
			state = k.State
		}
		return err
	})
	return state, err
}

func TestWritesOnEveryNodeAreReadOnEveryNode(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 30*time.Second)
	for writer := range r.Len() {
		key, err := clustertest.CreateKey(ctx, r.Node(writer), regionName)
		if err != nil {
			t.Fatalf("node %d: %v", writer, err)
		}
		for reader := range r.Len() {
			state, err := stateOf(ctx, r, reader, key)
			if err != nil || state != store.Enabled {
				t.Errorf("written on node %d, read on node %d: %v, %v", writer, reader, state, err)
			}
		}
	}
}

// A new leader may be fast (rule 12) only while the applied configuration is the
// latest. That is so after a restart too.
func TestConfigurationIsTheLatestAfterARestart(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	for range 2 {
		for i := range r.Len() {
			if latest, applied := r.Node(i).Configurations(); latest != applied || applied == 0 {
				t.Errorf("node %d: latest configuration %d, applied %d", i, latest, applied)
			}
			r.Kill(i)
			if err := r.Start(i); err != nil {
				t.Fatal(err)
			}
		}
		r.WaitReady()
	}
}
