package cluster_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
)

// toggle switches a key back and forth on changing nodes. After each
// acknowledgement it asks every running node at once; any of them must show the
// new state.
func toggle(ctx context.Context, t *testing.T, r *clustertest.Region, key crypto.KeyID, seed int, trials *atomic.Int64, until func(trial int) bool) {
	for trial := 0; !until(trial); trial++ {
		command, want := clustertest.Disable(key), store.Disabled
		if trial%2 == 1 {
			command, want = clustertest.Enable(key), store.Enabled
		}
		writer := r.Node((seed + trial) % r.Len())
		if writer == nil {
			writer = r.Node((seed + trial + 1) % r.Len())
		}
		if writer == nil {
			continue
		}
		// A node that is being stopped refuses or does not know: the same command
		// goes to another one, so that its id decides.
		for {
			err := clustertest.Decide(writer.Propose(ctx, command))
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Errorf("trial %d: %v", trial, err)
				return
			}
			if !errors.Is(err, cluster.ErrStopped) && !errors.Is(err, cluster.ErrOutcomeUnknown) {
				t.Errorf("trial %d: %v", trial, err)
				return
			}
			for i := range r.Len() {
				if n := r.Node(i); n != nil && n != writer {
					writer = n
					break
				}
			}
		}
		var wg sync.WaitGroup
		for i := range r.Len() {
			if r.Node(i) == nil {
				continue
			}
			wg.Go(func() {
				state, err := stateOf(ctx, r, i, key)
				switch {
				case err == nil && state != want:
					t.Errorf("trial %d: node %d shows %v after %v was acknowledged", trial, i, state, want)
				// One that has just started has no lease yet: it refuses.
				case err != nil && r.Node(i) != nil && !errors.Is(err, cluster.ErrStopped) && !errors.Is(err, cluster.ErrUnavailable):
					t.Errorf("trial %d: node %d: %v", trial, i, err)
				}
			})
		}
		wg.Wait()
		trials.Add(1)
	}
}

func TestAcknowledgedWriteIsReadEverywhereAtOnce(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 2*time.Minute)
	const writers, each = 8, 50
	var trials atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		key, err := clustertest.CreateKey(ctx, r.Node(w%r.Len()), regionName)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			toggle(ctx, t, r, key, w, &trials, func(trial int) bool { return trial >= each })
		})
	}
	wg.Wait()
	t.Logf("%d writes, each read on %d nodes", trials.Load(), r.Len())
}

func TestReadsStayFreshWhileLeadersStop(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 2*time.Minute)
	const writers, stops = 4, 4
	var over atomic.Bool
	var trials atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		key, err := clustertest.CreateKey(ctx, r.Node(w%r.Len()), regionName)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { toggle(ctx, t, r, key, w, &trials, func(int) bool { return over.Load() }) })
	}
	for stop := range stops {
		leader := r.Leader()
		before := trials.Load()
		if stop%2 == 0 {
			r.Kill(leader)
		} else if err := r.Stop(leader); err != nil {
			t.Error(err)
		}
		time.Sleep(400 * time.Millisecond) // work under the next leader
		if err := r.Start(leader); err != nil {
			t.Fatal(err)
		}
		r.WaitReady()
		t.Logf("stop %d: %d trials", stop, trials.Load()-before)
	}
	over.Store(true)
	wg.Wait()
	if trials.Load() < stops*writers {
		t.Errorf("only %d trials overlapped the stops", trials.Load())
	}
}

// descriptionOf reads a key's description on a node.
func descriptionOf(ctx context.Context, n *cluster.Node, key crypto.KeyID) (text string, err error) {
	err = n.Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err == nil {
			text = k.Description
		}
		return err
	})
	return text, err
}
