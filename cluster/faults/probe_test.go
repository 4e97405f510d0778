//go:build faults

package faults

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"
)

// probe writes to a key of its own at one node, to measure how long a write
// takes there.
type probe struct {
	caller *caller
	key    string
	n      int64
}

func (r *run) prepareProbes() {
	r.Helper()
	for _, n := range r.region.nodes {
		c := r.load.caller("probe-" + n.id)
		r.Cleanup(c.close)
		key, ok := r.load.createKey(context.Background(), c, "0")
		if !ok {
			r.Fatal("no key for a probe")
		}
		r.probes[n] = &probe{caller: c, key: key}
	}
}

// probeWrites writes once at each of some nodes, all at the same time, and
// returns how long each took. Each write must succeed: nodes hold writes over
// an election.
func (r *run) probeWrites(nodes []*node) []time.Duration {
	took := make([]time.Duration, len(nodes))
	var group sync.WaitGroup
	for i, n := range nodes {
		group.Go(func() {
			p := r.probes[n]
			p.n++
			o := p.caller.try(context.Background(), n, op{Action: "UpdateKeyDescription", Object: p.key, Value: p.n},
				map[string]string{"KeyId": p.key, "Description": strconv.FormatInt(p.n, 10)}, nil)
			if o.Outcome != done {
				r.Errorf("a write at %s, at %v for %v, was not held until it was done: %s %s %s",
					n.id, time.Duration(o.Start), time.Duration(o.End-o.Start), o.Outcome, o.Code, o.Error)
				// A write that is unknown, or unavailable, ends this counter.
				key, _ := r.load.createKey(context.Background(), p.caller, "0")
				p.key, p.n = key, 0
			}
			took[i] = time.Duration(o.End - o.Start)
		})
	}
	group.Wait()
	return took
}

// spread is the median and the longest of durations.
func spread(durations []time.Duration) (median, longest time.Duration) {
	if len(durations) == 0 {
		return 0, 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	return sorted[len(sorted)/2].Round(time.Millisecond), sorted[len(sorted)-1].Round(time.Millisecond)
}
