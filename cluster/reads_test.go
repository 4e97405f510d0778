package cluster_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/store"
)

// calm gives a region the timeouts of a real one, for tests that are not about
// elections and run on busy machines.
func calm(c *cluster.Config) {
	c.Timing.Heartbeat, c.Timing.LeaderLease = time.Second, 500*time.Millisecond
}

// raise sets a to n unless it is higher.
func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); n > old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

// What any linearizable read has shown on any node, no later one is behind, also
// while the write is in flight.
func TestLinearizableReadsNeverFallBehindEachOther(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 2*time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	if err != nil {
		t.Fatal(err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Describe(key, "0"))); err != nil {
		t.Fatal(err)
	}
	const writes = 100
	var shown, reads atomic.Int64
	var over atomic.Bool
	var readers sync.WaitGroup
	for i := range r.Len() {
		n := r.Node(i)
		readers.Go(func() {
			for !over.Load() {
				least := shown.Load()
				var text string
				err := n.ReadWith(ctx, cluster.ReadOptions{Linearizable: true}, func(v *store.View) error {
					k, err := v.Key(key)
					if err == nil {
						text = k.Description
					}
					return err
				})
				if errors.Is(err, cluster.ErrUnavailable) {
					continue // a busy machine elects; that is no wrong answer
				}
				got, parseErr := strconv.ParseInt(text, 10, 64)
				if err := errors.Join(err, parseErr); err != nil {
					t.Error(err)
					return
				}
				if got < least {
					t.Errorf("a read shows %d after another one had shown %d", got, least)
				}
				raise(&shown, got)
				reads.Add(1)
			}
		})
	}
	for n := int64(1); n <= writes; n++ {
		command := clustertest.Describe(key, strconv.FormatInt(n, 10))
		err := errors.New("not yet")
		for err != nil && ctx.Err() == nil {
			err = clustertest.Decide(r.Node(int(n)%r.Len()).Propose(ctx, command)) // again with its id
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	over.Store(true)
	readers.Wait()
	t.Logf("%d reads beside %d writes", reads.Load(), writes)
}

func TestMinIndexWaitsAndThenRefuses(t *testing.T) {
	const wait = 2 * time.Second
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		calm(c)
		c.Timing.MinIndexWait = wait
	}})
	ctx := within(t, time.Minute)
	look := func(n *cluster.Node, index uint64) (at uint64, err error) {
		err = n.ReadWith(ctx, cluster.ReadOptions{MinIndex: index}, func(v *store.View) error {
			at = v.Index()
			return nil
		})
		return at, err
	}
	for i := range r.Len() {
		key, err := clustertest.CreateKey(ctx, r.Node(i), regionName)
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Node(i).Propose(ctx, clustertest.Disable(key))
		if err != nil {
			t.Fatal(err)
		}
		for j := range r.Len() {
			if at, err := look(r.Node(j), result.CommandIndex); err != nil || at < result.CommandIndex {
				t.Errorf("written on %d at %d, read on %d: at %d, %v", i, result.CommandIndex, j, at, err)
			}
		}
	}
	n := r.Node(0)
	started := time.Now()
	if _, err := look(n, n.Applied()+1000); !errors.Is(err, cluster.ErrBehind) {
		t.Errorf("an index that is far off: %v", err)
	}
	if took := time.Since(started); took < wait {
		t.Errorf("refused after %v", took)
	}
	// One that is reached meanwhile is waited for.
	next := n.Applied() + 1
	read := make(chan error, 1)
	go func() {
		_, err := look(n, next)
		read <- err
	}()
	if _, err := clustertest.CreateKey(ctx, r.Node(1), regionName); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// Only linearizable reads ask the leader.
func TestLinearizableReadsAskTheLeader(t *testing.T) {
	var mu sync.Mutex
	var registries [3]*prometheus.Registry
	r := clustertest.New(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		registry := prometheus.NewRegistry()
		c.Metrics = registry
		calm(c)
		mu.Lock()
		registries[i] = registry
		mu.Unlock()
	}})
	ctx := within(t, time.Minute)
	i := r.Follower()
	rounds := func() float64 {
		families, err := registries[i].Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "meridian_cluster_read_index_rounds_total" {
				return f.Metric[0].GetCounter().GetValue()
			}
		}
		return 0
	}
	look := func(o cluster.ReadOptions) error {
		return r.Node(i).ReadWith(ctx, o, func(*store.View) error { return nil })
	}
	before := rounds()
	for range 100 {
		if err := look(cluster.ReadOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if asked := rounds() - before; asked != 0 {
		t.Errorf("100 reads asked the leader %v times", asked)
	}
	if err := look(cluster.ReadOptions{Linearizable: true}); err != nil {
		t.Fatal(err)
	}
	if asked := rounds() - before; asked != 1 {
		t.Errorf("a linearizable read asked the leader %v times", asked)
	}
	for j := range r.Len() {
		if j != i {
			r.Kill(j)
		}
	}
	ctx = within(t, 500*time.Millisecond)
	if err := look(cluster.ReadOptions{Linearizable: true}); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("a linearizable read without a leader: %v", err)
	}
}

// A read that writes overtake each time is refused in the end, and ends at once when
// nobody waits for it any more.
func TestOvertakenReadEnds(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) { calm(c) }})
	n := r.Node(0)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer n.Overtaken()()
	tries := 0
	err := n.Read(ctx, func(*store.View) error { tries++; return nil })
	if !errors.Is(err, cluster.ErrUnavailable) || tries != cluster.ReadTries {
		t.Errorf("%v after %d tries", err, tries)
	}
	tries = 0
	err = n.Read(ctx, func(*store.View) error {
		if tries++; tries == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || tries != 2 {
		t.Errorf("whose caller has gone: %v after %d tries", err, tries)
	}
}
