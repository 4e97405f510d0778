//go:build faults

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
)

// clocks are one node's clocks, which a test steps.
type clocks struct {
	boot, wall atomic.Int64 // ahead of the machine's, in nanoseconds
	began      time.Time
}

func (c *clocks) bootTime() time.Duration {
	return time.Hour + time.Since(c.began) + time.Duration(c.boot.Load())
}

func (c *clocks) now() time.Time { return time.Now().Add(time.Duration(c.wall.Load())) }

// TestClockSteps steps the wall clocks of all nodes by hours, and the boot
// clocks of followers by seconds while their processes do not stand still, under
// load. No machine does the latter to a leader whose peers do not see that time
// pass, so leaders are left alone.
func TestClockSteps(t *testing.T) {
	source := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("seed %d", *seed)
	began := time.Now()
	nodes := [3]clocks{{began: began}, {began: began}, {began: began}}
	region := clustertest.New(t, clustertest.Options{Region: regionID, Configure: func(i int, c *cluster.Config) {
		c.Now, c.BootTime = nodes[i].now, nodes[i].bootTime
	}})
	h := newHistory()
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for i := range 3 {
		key, err := clustertest.CreateKey(ctx, region.Node(i), regionID)
		if err != nil {
			t.Fatal(err)
		}
		workers.Go(func() { countInProcess(ctx, h, region, i, key) })
		for at := range 3 {
			workers.Go(func() { readInProcess(ctx, h, region, at, key) })
		}
	}
	steps := rounds(60, 1500)
	for range steps {
		time.Sleep(time.Duration(source.IntN(100)) * time.Millisecond)
		i := source.IntN(3)
		if source.IntN(2) == 0 {
			nodes[i].wall.Add(int64(time.Duration(source.IntN(2*24*3600)-24*3600) * time.Second))
		} else if region.Node(i).Status().Role == "follower" {
			nodes[i].boot.Add(int64(time.Duration(source.IntN(30_000)) * time.Millisecond))
		}
	}
	stop()
	workers.Wait()
	ops := h.all()
	v := verify(ops)
	for _, text := range v.violations {
		t.Error(text)
	}
	writes := 0
	for _, o := range ops {
		if o.Action == "UpdateKeyDescription" && o.Outcome == done {
			writes++
		}
	}
	if writes < steps/2 || v.bounded < 10*steps {
		t.Errorf("%d writes and %d reads beside %d steps: the run does not count", writes, v.bounded, steps)
	}
	result{
		Scenario: clockSteps.name, Seed: *seed, Short: *short, Seconds: int(time.Since(began).Seconds()), Rounds: steps, Requests: len(ops),
		Writes: writes, Overlapped: v.bounded, Bounded: v.bounded, Stale: len(v.violations),
	}.publish(t)
}

// countInProcess counts a key's description up until a write is unknown.
func countInProcess(ctx context.Context, h *history, region *clustertest.Region, i int, key crypto.KeyID) {
	part := h.part()
	for n := int64(1); ctx.Err() == nil; n++ {
		o := op{Worker: "writer", Action: "UpdateKeyDescription", Object: key.String(), Node: fmt.Sprint(i), Value: n, Start: h.now(), Outcome: unknown}
		err := clustertest.Decide(region.Node(i).Propose(ctx, clustertest.Describe(key, strconv.FormatInt(n, 10))))
		o.End = h.now()
		if err == nil {
			o.Outcome = done
		}
		part.add(o)
		if err != nil {
			return
		}
	}
}

// readInProcess reads a key's description at one node.
func readInProcess(ctx context.Context, h *history, region *clustertest.Region, at int, key crypto.KeyID) {
	part := h.part()
	for ctx.Err() == nil {
		o := op{Worker: "reader", Action: "DescribeKey", Object: key.String(), Node: fmt.Sprint(at), Start: h.now(), Outcome: unavailable}
		err := region.Node(at).Read(ctx, func(v *store.View) error {
			k, err := v.Key(key)
			if err == nil {
				o.Value, _ = strconv.ParseInt(k.Description, 10, 64) // empty: nothing was written yet
			}
			return err
		})
		o.End = h.now()
		if err == nil {
			o.Outcome = done
			part.add(o)
		}
		time.Sleep(time.Millisecond)
	}
}
