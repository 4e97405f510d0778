package cluster_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
)

// patient is a region whose nodes are damaged while they do not run. Its logs
// are trimmed often, so that they do not reach back to the beginning, and yet
// reach far enough that a node which was away for a few writes, or elections, gets
// entries and no snapshot: what is left of a log, a state and snapshots is then
// what the test left.
type patient struct {
	*clustertest.Region
	t       *testing.T
	mu      sync.Mutex
	metrics []*prometheus.Registry // of each node's newest process
	keys    []crypto.KeyID
	ended   []error // of nodes that the supervisor started again
}

// patienceLimit is for a machine that is busy with other things.
const patienceLimit = 3 * time.Minute

func newPatient(t *testing.T, o clustertest.Options) *patient {
	t.Helper()
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	p := &patient{t: t, metrics: make([]*prometheus.Registry, o.Nodes)}
	more := o.Configure
	o.Configure = func(i int, c *cluster.Config) {
		c.Timing.SnapshotInterval, c.Timing.SnapshotThreshold, c.Timing.TrailingLogs = 20*time.Millisecond, 16, 48
		c.Timing.CheckDelay, c.Timing.StateCheck = 50*time.Millisecond, 300*time.Millisecond
		// No test here is about elections, or about writes that have to wait.
		c.Timing.Heartbeat, c.Timing.LeaderLease, c.Timing.Hold = 300*time.Millisecond, 150*time.Millisecond, time.Minute
		if o.Nodes == 2 {
			calm(c)
		}
		registry := prometheus.NewRegistry()
		c.Metrics = registry
		p.mu.Lock()
		p.metrics[i] = registry
		p.mu.Unlock()
		if more != nil {
			more(i, c)
		}
	}
	p.Region = clustertest.New(t, o)
	for ctx := within(t, patienceLimit); !p.trimmed(); {
		if ctx.Err() != nil {
			t.Fatal("the logs are not trimmed")
		}
		p.write(10)
	}
	return p
}

// shortLogs lets a node that was away get a snapshot.
func shortLogs(_ int, c *cluster.Config) { c.Timing.TrailingLogs = 4 }

// trimmed reports whether no node's log reaches back to the beginning.
func (p *patient) trimmed() bool {
	for i := range p.Len() {
		if first, err := p.Node(i).LogBegins(); err != nil || first <= 1 {
			return false
		}
	}
	return true
}

// metric returns the value of a metric of a node's newest process: one without
// labels, or with this value for its one label.
func (p *patient) metric(i int, name, label string) float64 {
	p.t.Helper()
	p.mu.Lock()
	registry := p.metrics[i]
	p.mu.Unlock()
	families, err := registry.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			if label == "" || m.Label[0].GetValue() == label {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return -1 // the node has not got so far
}

// write makes keys, enough for a snapshot now and then.
func (p *patient) write(keys int) {
	p.t.Helper()
	ctx := within(p.t, patienceLimit)
	for made := 0; made < keys; {
		p.supervise()
		key, err := clustertest.CreateKey(ctx, p.Node(p.Leader()), regionName)
		switch {
		case err == nil:
			p.keys = append(p.keys, key)
			made++
		case ctx.Err() != nil:
			p.t.Fatal(err)
		}
	}
}

// supervise starts nodes again that have ended themselves.
func (p *patient) supervise() {
	p.t.Helper()
	for i := range p.Len() {
		if err := p.Exited(i); err != nil && p.Node(i) != nil {
			p.ended = append(p.ended, err)
			p.Kill(i)
			if err := p.Start(i); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

func (p *patient) path(i int, elements ...string) string {
	return filepath.Join(append([]string{p.Dir(i)}, elements...)...)
}

// snapshots returns the folders of a node's snapshots, oldest first.
func (p *patient) snapshots(i int) []string {
	p.t.Helper()
	names, err := filepath.Glob(p.path(i, "snapshots", "*-*-*"))
	if err != nil || len(names) == 0 {
		p.t.Fatalf("snapshots: %v, %v", names, err)
	}
	return names
}

// run starts a node, again after each time that it ends itself, until it is ready
// and has all keys, and compares its state with another node's. It returns why
// the node ended itself, the last time.
func (p *patient) run(i int) (ended error) {
	p.t.Helper()
	ctx := within(p.t, patienceLimit)
	for {
		if n := p.Node(i); n == nil || p.Exited(i) != nil {
			if err := p.Exited(i); err != nil {
				ended = err
				if n != nil && n.Ready(ctx) == nil {
					p.t.Errorf("node %d is ready after %v", i, ended)
				}
			}
			p.Kill(i)
			if err := p.Start(i); err != nil {
				p.t.Fatal(err)
			}
		}
		err := p.complete(ctx, i)
		if err == nil && p.Exited(i) == nil {
			return ended
		}
		if ctx.Err() != nil {
			p.t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// complete reports what a node lacks.
func (p *patient) complete(ctx context.Context, i int) error {
	n := p.Node(i)
	if err := n.Ready(ctx); err != nil {
		return err
	}
	for _, key := range p.keys {
		if _, err := stateOf(ctx, p.Region, i, key); err != nil {
			return fmt.Errorf("key %v: %w", key, err)
		}
	}
	other := p.Node((i + 1) % p.Len())
	if other == nil {
		return nil
	}
	index, hash := n.StateHash()
	theirs, theirHash := other.StateHash()
	if index == theirs && hash != theirHash {
		return fmt.Errorf("at %d: state %x, the other node's %x", index, hash, theirHash)
	}
	if index != theirs {
		return fmt.Errorf("state at %d, the other node's at %d", index, theirs)
	}
	return nil
}
