//go:build faults

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// scenario is one line of the table.
type scenario struct {
	name  string
	fault string   // what is done, for people
	pass  string   // when it passes, for people
	set   []string // configuration of the servers
	// steady: nodes that are not broken answer every request for cryptography.
	steady bool
	// smooth: a client that asks another node when one does not answer gets every
	// request for cryptography answered.
	smooth bool
	load   sizes // zero: usual
	root   bool  // needs root
	tool   string
	apart  bool // in a network namespace of its own
	// least number of answers that must have overlapped the faults, in a short run
	overlap int
	prepare func(r *run) // before the servers start
	run     func(r *run)
}

// run is one scenario under way.
type run struct {
	testing.TB
	region *region
	load   *load
	rand   *rand.Rand
	probes map[*node]*probe

	mu      sync.Mutex
	breaks  []breakage
	numbers map[string]string // measured, for the result
	rounds  int
}

// breakage is a time in which nodes were broken, nil for links.
type breakage struct {
	name       string
	nodes      []*node
	start, end int64
}

// result is what one scenario came to.
type result struct {
	Scenario   string            `json:"scenario"`
	Passed     bool              `json:"passed"`
	Seed       uint64            `json:"seed"`
	Short      bool              `json:"short"`
	Seconds    int               `json:"seconds"`
	Rounds     int               `json:"rounds"`
	Requests   int               `json:"requests"`
	Writes     int               `json:"acknowledged_writes"`
	Overlapped int               `json:"overlapped"` // answers while a fault lasted
	Trials     int               `json:"trials"`     // acknowledged-then-read
	Bounded    int               `json:"counter_reads"`
	Ordered    int               `json:"indexed_answers"`
	Contended  int               `json:"contended_writes"`
	Stale      int               `json:"stale"`
	Elsewhere  int               `json:"failed_elsewhere"` // cryptography refused by nodes that were not broken
	Unhandled  int               `json:"failed_roaming"`   // cryptography that no node did for a client that asks around
	Numbers    map[string]string `json:"numbers,omitempty"`
}

// TestFaults runs the table.
func TestFaults(t *testing.T) {
	for _, s := range scenarios {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) { s.start(t) })
	}
}

func (s scenario) start(t *testing.T) {
	if s.root && os.Getuid() != 0 {
		t.Skip("needs root")
	}
	if s.tool != "" && !toolThere(s.tool) {
		t.Skipf("needs %s", s.tool)
	}
	if s.apart && os.Getenv(namespaced) == "" {
		s.startApart(t)
		return
	}
	began := time.Now()
	dir := t.TempDir()
	r := &run{
		TB: t, rand: rand.New(rand.NewPCG(*seed, 0)), probes: map[*node]*probe{}, numbers: map[string]string{},
		region: layOut(t, dir, filepath.Join(dir, "data"), 3, s.set...),
	}
	t.Logf("seed %d", *seed)
	if s.prepare != nil {
		s.prepare(r)
	}
	r.region.start(r.region.nodes...)
	r.region.waitReady(r.region.nodes...)
	r.load = newLoad(t, r.region, *seed)
	if s.load == (sizes{}) {
		s.load = usual
	}
	func() {
		defer r.load.end()
		r.load.begin(s.load)
		r.prepareProbes()
		s.run(r)
		r.settle(300 * time.Millisecond)
	}()
	r.readAll(r.load.history)
	res := r.judge(s, time.Since(began))
	r.report(res)
}

// rounds is how often a scenario repeats its fault.
func rounds(inShort, inLong int) int {
	if *short {
		return inShort
	}
	return max(inShort, int(float64(inLong)**share))
}

// broken runs f, in which nodes are broken and repaired again, and notes the
// time.
func (r *run) broken(name string, nodes []*node, f func()) {
	b := breakage{name: name, nodes: nodes, start: r.load.history.now()}
	f()
	b.end = r.load.history.now()
	r.mu.Lock()
	r.breaks = append(r.breaks, b)
	r.rounds++
	r.mu.Unlock()
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.id)
	}
	r.load.history.note(note{b.start, b.end, name + " " + strings.Join(ids, " ")})
}

// settle lets the load run for a while without a fault.
func (r *run) settle(d time.Duration) { time.Sleep(d) }

// between is a random duration.
func (r *run) between(least, most time.Duration) time.Duration {
	return least + time.Duration(r.rand.Int64N(int64(most-least)))
}

func (r *run) number(name, format string, args ...any) {
	r.mu.Lock()
	r.numbers[name] = fmt.Sprintf(format, args...)
	r.mu.Unlock()
}

// readAll reads every counter, on every node, and records that in a history:
// what was acknowledged must be there after everything is repaired.
func (r *run) readAll(into *history) {
	r.Helper()
	keys := map[string]bool{}
	for _, o := range r.load.history.all() {
		if o.Action == "UpdateKeyDescription" {
			keys[o.Object] = true
		}
	}
	c, err := newCaller("final", r.region.nodes, into, r.rand)
	r.must(err)
	defer c.close()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		for _, n := range r.region.nodes {
			if o := r.load.readCounter(context.Background(), c, n, key); o.Outcome != done {
				r.Errorf("after all was repaired, DescribeKey of counter %s at %s: %s %s %s", key, n.id, o.Outcome, o.Code, o.Error)
			}
		}
	}
}

// judge checks the history and says what the run came to.
func (r *run) judge(s scenario, took time.Duration) result {
	r.Helper()
	ops := r.load.history.all()
	v := verify(ops)
	res := result{
		Scenario: s.name, Seed: *seed, Short: *short, Seconds: int(took.Seconds()), Rounds: r.rounds, Requests: len(ops),
		Trials: r.load.trials, Bounded: v.bounded, Ordered: v.ordered, Contended: v.contended,
		Stale: len(v.violations) + len(r.load.stale), Unhandled: r.load.retried, Numbers: r.numbers,
	}
	for _, text := range append(v.violations, r.load.stale...) {
		r.Error(text)
	}
	var elsewhere []string
	for _, o := range ops {
		if o.write() && o.Outcome == done {
			res.Writes++
		}
		at, overlapped := r.brokenDuring(&o)
		if overlapped && (o.Outcome == done || o.Outcome == refused) {
			res.Overlapped++
		}
		if strings.HasPrefix(o.Worker, "crypto-") && o.Outcome != done && !at {
			res.Elsewhere++
			elsewhere = append(elsewhere, fmt.Sprintf("%s at %s, which was not broken, at %v for %v: %s %s %s",
				o.Action, o.Node, time.Duration(o.Start), time.Duration(o.End-o.Start), o.Outcome, o.Code, o.Error))
		}
	}
	if s.steady {
		for _, text := range elsewhere[:min(len(elsewhere), 20)] {
			r.Error(text)
		}
	}
	if s.smooth {
		for _, text := range r.load.unhandled {
			r.Error(text)
		}
	}
	if res.Overlapped < s.overlap {
		r.Errorf("%d answers overlapped the faults, want at least %d: the run does not count", res.Overlapped, s.overlap)
	}
	return res
}

// brokenDuring says whether a request overlapped a breakage, and whether one of
// its own node.
func (r *run) brokenDuring(o *op) (own, overlapped bool) {
	for _, b := range r.breaks {
		if o.Start >= b.end || o.End <= b.start {
			continue
		}
		overlapped = true
		for _, n := range b.nodes {
			own = own || n.id == o.Node
		}
	}
	return own, overlapped
}

// report prints the result, and keeps the history of a failure.
func (r *run) report(res result) {
	res.publish(r)
	if r.Failed() {
		path := filepath.Join(keepDir(r.Name()), "history.jsonl")
		if err := r.load.history.save(path); err != nil {
			r.Error(err)
		}
		r.Logf("the history is in %s; the same seed: -faults.seed %d", path, *seed)
	}
}

// publish prints a result and appends it to the file of results.
func (res result) publish(t testing.TB) {
	res.Passed = !t.Failed()
	line, err := json.Marshal(res)
	if err != nil {
		t.Error(err)
	}
	t.Logf("%s", line)
	if *results == "" {
		return
	}
	f, err := os.OpenFile(*results, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\n", line); err != nil {
		t.Error(err)
	}
}
