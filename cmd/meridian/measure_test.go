//go:build measure

package main

import (
	"slices"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/cmd/meridian/bench"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// These benchmarks compare a region with something else in alternating rounds of
// one run, since only ratios mean much on a shared machine:
//
//	go test -tags measure -run '^$' -bench Region -benchtime 1x -timeout 30m ./cmd/meridian
//
// docs/performance.md has the figures.
const (
	measureRounds = 7
	measureTime   = 3 * time.Second
)

// measured is what one round of load came to.
type measured struct {
	cpu  time.Duration // of the server processes, for each call
	rate float64       // calls a second
	p50  time.Duration
}

// load makes calls of one action to nodes for a round, over plain HTTP.
func (r *regions) load(action string, params map[string]string, connections int, nodes ...*devregion.Node) measured {
	r.t.Helper()
	var cfg bench.Config
	var c bench.Case
	key := bench.Key{ID: devregion.AccessKeyID, Secret: crypto.Secret(devregion.AccessKeySecret), Signature: client.V1}
	for _, n := range nodes {
		cfg.Endpoints = append(cfg.Endpoints, bench.Endpoint{Address: n.HTTP})
		s := bench.NewSigner(n.HTTP, key, bench.Call{Action: action, Params: params})
		if action != "UpdateKeyDescription" {
			s.Prepare(int(measureTime.Seconds()) * 30_000 / len(nodes))
		}
		c.Signers = append(c.Signers, s)
	}
	c.Weight = 1
	cfg.Cases, cfg.Connections, cfg.Duration, cfg.Timeout = []bench.Case{c}, connections, measureTime, patience
	before := r.cpu(nodes[0])
	result, err := bench.Run(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	used := r.cpu(nodes[0]) - before
	if n := result.Cases[0].Failed(); n > 0 {
		r.t.Errorf("%d calls failed: %v", n, result.Cases[0].Errors)
	}
	return measured{
		cpu:  used / time.Duration(result.Calls()),
		rate: float64(result.Calls()) / result.Elapsed.Seconds(),
		p50:  result.Cases[0].Latency.Quantile(0.5),
	}
}

// settle waits until no region does work of its own accord: ten seconds after its start a node makes key pairs ahead of need.
func (r *regions) settle() {
	r.t.Helper()
	all := func() (used time.Duration) {
		for _, region := range r.layout.Regions {
			used += r.cpu(region.Nodes[0])
		}
		return used
	}
	const rest = 11 * time.Second // from the start to the first of them, and a look
	for limit, before := time.Now().Add(2*time.Minute), all(); ; {
		time.Sleep(rest)
		used := all() - before
		if before += used; used < rest/2 {
			return
		}
		if time.Now().After(limit) {
			r.t.Fatalf("the regions are busy: %v of CPU in %v", used, rest)
		}
	}
}

// cpu is the CPU time that all servers of a node's region have used.
func (r *regions) cpu(n *devregion.Node) time.Duration {
	r.t.Helper()
	var pids []int
	for node, p := range r.running {
		if node.Region == n.Region {
			pids = append(pids, p.PID())
		}
	}
	used, err := sumCPU(pids)
	if err != nil {
		r.t.Fatal(err)
	}
	return used
}

// middle is the median of values in any order.
func middle(values []float64) float64 { return median(slices.Sorted(slices.Values(values))) }

// medianRatio is the median of a/b, round by round.
func medianRatio(a, b []float64) float64 {
	var ratios []float64
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return middle(ratios)
}

// BenchmarkRegionReads compares the CPU of a call to a region of one node, to all
// of three nodes, to the leader of three and to a follower, leases and all idle
// work included. A server with fewer connections sleeps more often for the same
// number of calls, so one node is also loaded with a third of them.
func BenchmarkRegionReads(b *testing.B) {
	lone, three := startRegions(b, 1, 1), startRegions(b, 1, 3)
	one := lone.layout.Nodes()[0]
	all := three.layout.Regions[0].Nodes
	leader := three.leader(three.layout.Regions[0])
	follower := others(three.layout.Regions[0], leader)[0]
	params := func(r *regions) map[string]string {
		return map[string]string{"KeyId": makeKey(b, r.client(r.layout.Regions[0])), "Plaintext": randomText(32)}
	}
	lonely, shared := params(lone), params(three)
	var cpu [5][]float64
	for round := range measureRounds + 1 {
		now := [5]measured{
			lone.load("Encrypt", lonely, 16, one),
			three.load("Encrypt", shared, 16, all...),
			three.load("Encrypt", shared, 16, leader),
			three.load("Encrypt", shared, 16, follower),
			lone.load("Encrypt", lonely, 5, one),
		}
		if round == 0 {
			continue // warms up
		}
		for i := range now {
			cpu[i] = append(cpu[i], float64(now[i].cpu.Nanoseconds())/1e3)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(cpu[0]), "µs-one-node")
	b.ReportMetric(medianRatio(cpu[1], cpu[0]), "all-three/one")
	b.ReportMetric(medianRatio(cpu[1], cpu[4]), "all-three/one-with-5-connections")
	b.ReportMetric(medianRatio(cpu[2], cpu[0]), "leader-of-three/one")
	b.ReportMetric(medianRatio(cpu[3], cpu[2]), "follower/leader")
}

// BenchmarkRegionWrites compares writes through HTTP, which are answered when
// they are visible on every node, with those of bare Raft: the rate of 64 callers,
// and the median time of one alone.
func BenchmarkRegionWrites(b *testing.B) {
	r := startRegions(b, 1, 3)
	region := r.layout.Regions[0]
	bare := startBareRaft(b)
	description := map[string]string{"KeyId": makeKey(b, r.client(region)), "Description": randomText(100)}
	var rate, bareRate, alone, bareAlone []float64
	for round := range measureRounds + 1 {
		var values [4]float64
		values[0] = r.load("UpdateKeyDescription", description, 64, region.Nodes...).rate
		values[1] = bare.load(b, 64, measureTime)
		values[2] = float64(r.load("UpdateKeyDescription", description, 1, r.leader(region)).p50.Microseconds())
		values[3] = float64(bare.alone(b, measureTime).Microseconds())
		if round == 0 {
			continue // warms up
		}
		rate, bareRate = append(rate, values[0]), append(bareRate, values[1])
		alone, bareAlone = append(alone, values[2]), append(bareAlone, values[3])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(middle(rate), "writes/s")
	b.ReportMetric(middle(bareRate), "bare-writes/s")
	b.ReportMetric(medianRatio(rate, bareRate), "writes/bare")
	b.ReportMetric(middle(alone), "µs-alone")
	b.ReportMetric(middle(bareAlone), "bare-µs-alone")
	b.ReportMetric(medianRatio(alone, bareAlone), "alone/bare")
}

// alone is the median time of writes one after the other.
func (r *bareRaft) alone(b *testing.B, d time.Duration) time.Duration {
	b.Helper()
	var all bench.Histogram
	for end := time.Now().Add(d); time.Now().Before(end); {
		began := time.Now()
		if err := r.write(); err != nil {
			b.Fatal(err)
		}
		all.Record(time.Since(began))
	}
	return all.Quantile(0.5)
}

// BenchmarkRegionIdle reports the CPU of three nodes that nobody asks, in percent
// of a core.
func BenchmarkRegionIdle(b *testing.B) {
	r := startRegions(b, 1, 3)
	const settle, look = 5 * time.Second, 30 * time.Second
	time.Sleep(settle)
	before := r.cpu(r.layout.Nodes()[0])
	time.Sleep(look)
	used := r.cpu(r.layout.Nodes()[0]) - before
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(100*used.Seconds()/look.Seconds(), "%-of-a-core")
}
