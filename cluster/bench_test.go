package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/store"
)

// asDeployed uses the timing of a real region instead of the short one of tests.
func asDeployed(_ int, c *cluster.Config) { c.Timing = cluster.Timing{} }

func BenchmarkLoneWrite(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			r := clustertest.New(b, clustertest.Options{Nodes: nodes, Configure: asDeployed})
			n := r.Node(r.Leader())
			key, err := clustertest.CreateKey(b.Context(), n, regionName)
			if err != nil {
				b.Fatal(err)
			}
			var took []time.Duration
			for b.Loop() {
				started := time.Now()
				if err := clustertest.Decide(n.Propose(b.Context(), clustertest.Describe(key, "x"))); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(started))
			}
			sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkWriteReadEverywhere is a write on a follower followed by a fresh read on
// every node.
func BenchmarkWriteReadEverywhere(b *testing.B) {
	r := clustertest.New(b, clustertest.Options{Configure: asDeployed})
	n := r.Node(r.Follower())
	key, err := clustertest.CreateKey(b.Context(), n, regionName)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := clustertest.Decide(n.Propose(b.Context(), clustertest.Describe(key, "x"))); err != nil {
			b.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range r.Len() {
			wg.Go(func() { _, _ = descriptionOf(b.Context(), r.Node(i), key) })
		}
		wg.Wait()
	}
}

func BenchmarkWrites(b *testing.B) {
	for _, callers := range []int{16, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			r := clustertest.New(b, clustertest.Options{Configure: asDeployed})
			key, err := clustertest.CreateKey(b.Context(), r.Node(0), regionName)
			if err != nil {
				b.Fatal(err)
			}
			run(b, callers, func(ctx context.Context, caller int) error {
				return clustertest.Decide(r.Node(caller%r.Len()).Propose(ctx, clustertest.Describe(key, "x")))
			})
		})
	}
}

func BenchmarkReads(b *testing.B) {
	for _, test := range []struct{ nodes, callers int }{{1, 1}, {1, 16}, {3, 1}, {3, 16}, {3, 64}, {3, 256}} {
		b.Run(fmt.Sprintf("nodes=%d/callers=%d", test.nodes, test.callers), func(b *testing.B) {
			r := clustertest.New(b, clustertest.Options{Nodes: test.nodes, Configure: asDeployed})
			n := r.Node(0)
			if test.nodes > 1 {
				n = r.Node(r.Follower())
			}
			key, err := clustertest.CreateKey(b.Context(), n, regionName)
			if err != nil {
				b.Fatal(err)
			}
			read := func(v *store.View) error { _, err := v.Key(key); return err }
			b.ReportAllocs()
			run(b, test.callers, func(ctx context.Context, _ int) error { return n.Read(ctx, read) })
		})
	}
}

// BenchmarkLeaseCheck is a read on a follower, with and without the check of its
// lease; they alternate, because only their difference means something.
func BenchmarkLeaseCheck(b *testing.B) {
	r := clustertest.New(b, clustertest.Options{Configure: asDeployed})
	n := r.Node(r.Follower())
	key, err := clustertest.CreateKey(b.Context(), n, regionName)
	if err != nil {
		b.Fatal(err)
	}
	read := func(v *store.View) error { _, err := v.Key(key); return err }
	const batch = 1000
	reads := func() time.Duration {
		began := time.Now()
		for range batch {
			if err := n.Read(b.Context(), read); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began)
	}
	var with, without []time.Duration
	for b.Loop() {
		with = append(with, reads())
		restore := n.Unchecked()
		without = append(without, reads())
		restore()
	}
	slices.Sort(with)
	slices.Sort(without)
	checked, bare := float64(with[len(with)/2].Nanoseconds())/batch, float64(without[len(without)/2].Nanoseconds())/batch
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(checked, "ns-checked")
	b.ReportMetric(bare, "ns-unchecked")
	b.ReportMetric(checked-bare, "ns-check")
}

// run shares b.N calls among callers.
func run(b *testing.B, callers int, call func(ctx context.Context, caller int) error) {
	b.ResetTimer()
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < b.N; i += callers {
				if err := call(b.Context(), caller); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
