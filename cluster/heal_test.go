package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store/storetest"
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

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// flip turns a bit of a file over.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << rand.IntN(8)
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// makeDiffer changes a state so that it passes every check of its own.
func makeDiffer(t *testing.T, path string) {
	t.Helper()
	wrap := func(_ crypto.Binding, material []byte) ([]byte, error) { return material, nil }
	if err := storetest.Fill(path, 1, wrap); err != nil {
		t.Fatal(err)
	}
}

// abandoned is a snapshot that Raft was writing when it was killed.
const abandoned = "9-999999-1.tmp"

func TestDamagedDataFolderHeals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		source  string // of the rebuilt state; empty: none is needed, or it depends
		differs bool   // that is found once the node runs
		damage  func(t *testing.T, p *patient, i int)
	}{
		{"state deleted", "snapshot", false, func(t *testing.T, p *patient, i int) { remove(t, p.path(i, "state.db")) }},
		{"state empty", "snapshot", false, func(t *testing.T, p *patient, i int) { truncate(t, p.path(i, "state.db"), 0) }},
		{"state cut short", "snapshot", false, func(t *testing.T, p *patient, i int) { truncate(t, p.path(i, "state.db"), 3*4096+100) }},
		{"state is another file", "snapshot", false, func(t *testing.T, p *patient, i int) { copyFile(t, p.path(i, "raft.db"), p.path(i, "state.db")) }},
		{"state and newest snapshot deleted", "", false, func(t *testing.T, p *patient, i int) {
			names := p.snapshots(i)
			remove(t, p.path(i, "state.db"), names[len(names)-1])
		}},
		{"state and all snapshots deleted", "peer", false, func(t *testing.T, p *patient, i int) {
			remove(t, append(p.snapshots(i), p.path(i, "state.db"))...)
		}},
		{"state deleted, snapshots cut short", "peer", false, func(t *testing.T, p *patient, i int) {
			remove(t, p.path(i, "state.db"))
			for _, name := range p.snapshots(i) {
				truncate(t, filepath.Join(name, "state.bin"), 5000)
			}
		}},
		{"state deleted, a bit flipped in each snapshot", "peer", false, func(t *testing.T, p *patient, i int) {
			remove(t, p.path(i, "state.db"))
			for _, name := range p.snapshots(i) {
				flip(t, filepath.Join(name, "state.bin"), 3*4096+77)
			}
		}},
		{"snapshots deleted", "state", false, func(t *testing.T, p *patient, i int) { remove(t, p.snapshots(i)...) }},
		{"snapshots empty", "state", false, func(t *testing.T, p *patient, i int) {
			for _, name := range p.snapshots(i) {
				truncate(t, filepath.Join(name, "state.bin"), 0)
			}
		}},
		{"left over from a crash", "", false, func(t *testing.T, p *patient, i int) {
			for _, name := range []string{"state.db.new", "raft.db.new"} {
				if err := os.WriteFile(p.path(i, name), make([]byte, 10000), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.MkdirAll(p.path(i, "snapshots", abandoned), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"state differs", "peer", true, func(t *testing.T, p *patient, i int) { makeDiffer(t, p.path(i, "state.db")) }},
	}
	p := newPatient(t, clustertest.Options{})
	for n, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p.t, p.ended = t, nil
			i := n % p.Len()
			if n%2 == 0 {
				p.Kill(i)
			} else if err := p.Stop(i); err != nil {
				t.Fatal(err)
			}
			test.damage(t, p, i)
			if !test.differs { // else the leader may send a snapshot, and the difference is gone
				p.write(10)
			}
			ended := p.run(i)
			if test.differs {
				for limit := time.Now().Add(time.Minute); ended == nil && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
					ended = p.run(i)
				}
				if !errors.Is(ended, cluster.ErrDiffers) {
					t.Fatalf("ended with %v", ended)
				}
			} else if ended != nil {
				t.Error(ended)
			}
			if p.ended != nil {
				t.Errorf("nodes ended themselves: %v", p.ended)
			}
			for _, source := range []string{"log", "snapshot", "state", "peer"} {
				want := 0.0
				if source == test.source {
					want = 1
				}
				if got := p.metric(i, "meridian_state_rebuilds_total", source); got != want && test.source != "" {
					t.Errorf("rebuilt from %s: %v", source, got)
				}
			}
			if _, err := os.Stat(p.path(i, "snapshots", abandoned)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a snapshot that was not finished is left over: %v", err)
			}
		})
	}
}

// A copy of the state from earlier is brought up to date, whether the snapshot
// has passed it or not.
func TestOlderStateHeals(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Configure: shortLogs})
	const i = 2
	if err := p.Stop(i); err != nil {
		t.Fatal(err)
	}
	copyFile(t, p.path(i, "state.db"), p.path(i, "copy"))
	for _, keys := range []int{2, 80} {
		p.run(i)
		p.write(keys)
		p.run(i)
		if err := p.Stop(i); err != nil {
			t.Fatal(err)
		}
		copyFile(t, p.path(i, "copy"), p.path(i, "state.db"))
	}
	p.run(i)
}

// A flipped bit is found when it is read, or by the check after a crash; then the
// state is rebuilt.
func TestFlippedBitsHeal(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	for round := range 6 {
		i := round % p.Len()
		p.Kill(i)
		info, err := os.Stat(p.path(i, "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			flip(t, p.path(i, "state.db"), rand.Int64N(info.Size()))
		}
		p.write(2)
		p.run(i) // the check may end it once more, then it is started again
	}
	for i := range p.Len() {
		p.run(i)
	}
}

// A node whose state is lost gets it also where the region has no quorum without
// it.
func TestStateComesFromANodeWithoutLeader(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	for i := range p.Len() {
		p.Kill(i)
	}
	remove(t, append(p.snapshots(0), p.path(0, "state.db"))...)
	if err := p.Start(1); err != nil { // node 2 stays away
		t.Fatal(err)
	}
	if err := p.Start(0); err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patienceLimit)
	for p.complete(ctx, 0) != nil {
		if ctx.Err() != nil {
			t.Fatal(p.complete(context.Background(), 0))
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := p.metric(0, "meridian_state_rebuilds_total", "peer"); got != 1 {
		t.Errorf("rebuilt from a peer: %v", got)
	}
	p.write(3)
}

// While nobody can give it a state the node waits, is not ready, and says so.
func TestNodeWaitsForAState(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	for i := range p.Len() {
		p.Kill(i)
	}
	remove(t, append(p.snapshots(0), p.path(0, "state.db"))...)
	started := make(chan error, 1)
	go func() { started <- p.Start(0) }()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if p.metric(0, "meridian_state_seeding", "") == 1 && p.metric(0, "meridian_node_ready", "") == 0 && p.metric(0, "meridian_node_refuses", "starting") == 1 {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the node does not say that it waits")
		}
	}
	for i := range 2 {
		if err := p.Start(i + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	p.run(0)
}

// What a log that was lost or swapped hid from the node nobody can bring back: it
// refuses, with advice.
func TestLostLogIsRefused(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	const i = 0
	if err := p.Stop(i); err != nil {
		t.Fatal(err)
	}
	copyFile(t, p.path(i, "raft.db"), p.path(i, "older"))
	p.write(3)
	p.run(i)
	for j := range p.Len() {
		if err := p.Stop(j); err != nil {
			t.Fatal(err)
		}
	}
	remove(t, p.snapshots(i)...) // else the log need not reach so far
	copyFile(t, p.path(i, "raft.db"), p.path(i, "good"))
	tests := []struct {
		name string
		want error
		do   func()
	}{
		{"deleted", cluster.ErrNoLog, func() { remove(t, p.path(i, "raft.db")) }},
		{"emptied", cluster.ErrNoLog, func() { truncate(t, p.path(i, "raft.db"), 0) }},
		{"cut short", cluster.ErrNoLog, func() { truncate(t, p.path(i, "raft.db"), 1000) }},
		{"overwritten", cluster.ErrNoLog, func() {
			if err := os.WriteFile(p.path(i, "raft.db"), make([]byte, 1<<16), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"of another node", cluster.ErrForeignData, func() { copyFile(t, p.path(1, "raft.db"), p.path(i, "raft.db")) }},
		{"of an earlier time", cluster.ErrLogTail, func() { copyFile(t, p.path(i, "older"), p.path(i, "raft.db")) }},
	}
	for _, test := range tests {
		test.do()
		err := p.Start(i)
		if !errors.Is(err, test.want) {
			// A folder without raft.db is started in the background.
			for limit := time.Now().Add(30 * time.Second); err == nil && time.Now().Before(limit); time.Sleep(time.Millisecond) {
				err = p.Exited(i)
			}
		}
		if !errors.Is(err, test.want) {
			t.Errorf("log %s: %v, want %v", test.name, err, test.want)
		}
		copyFile(t, p.path(i, "good"), p.path(i, "raft.db"))
	}
	for j := range p.Len() {
		if err := p.Start(j); err != nil {
			t.Fatal(err)
		}
	}
	p.run(i)
}

// A lone node has nobody to ask.
func TestLoneNodeSaysThatItsStateIsLost(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Nodes: 1})
	p.Kill(0)
	remove(t, append(p.snapshots(0), p.path(0, "state.db"))...)
	if err := p.Start(0); !errors.Is(err, cluster.ErrLogGap) {
		t.Fatal(err)
	}
}

// Of two nodes that differ nobody knows which is right.
func TestTwoNodesThatDifferAlarmAndKeepTheirState(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Nodes: 2})
	if err := p.Stop(0); err != nil {
		t.Fatal(err)
	}
	makeDiffer(t, p.path(0, "state.db"))
	if err := p.Start(0); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); p.metric(0, "meridian_state_differs", "") == 0 || p.metric(1, "meridian_state_differs", "") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no alarm")
		}
	}
	for more := [2]float64{p.metric(0, comparisons, "unsettled") + 3, p.metric(1, comparisons, "unsettled") + 3}; p.metric(0, comparisons, "unsettled") < more[0] || p.metric(1, comparisons, "unsettled") < more[1]; time.Sleep(10 * time.Millisecond) {
		if p.Exited(0) != nil || p.Exited(1) != nil {
			break
		}
	}
	for i := range 2 {
		if err := p.Exited(i); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		if aside, _ := filepath.Glob(p.path(i, "*.differing-*")); aside != nil {
			t.Errorf("node %d set aside %v", i, aside)
		}
	}

	// The operator decides, with the mark that a node in a minority would make.
	if err := p.Stop(0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path(0, "state.differs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(0)
	for limit := time.Now().Add(time.Minute); p.metric(0, "meridian_state_differs", "") == 1 || p.metric(1, "meridian_state_differs", "") == 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the alarm goes on")
		}
	}
}

const comparisons = "meridian_state_comparisons_total"

// While entries stream in, nodes still find an index that all of them know.
func TestStatesAreComparedUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.StateCheck = 50 * time.Millisecond }})
	ctx := within(t, patienceLimit)
	compared := func(outcome string) (n float64) {
		for i := range p.Len() {
			n += p.metric(i, comparisons, outcome)
		}
		return n
	}
	agreed, unsettled := compared("agreed"), compared("unsettled")
	var writers sync.WaitGroup
	for w := range 8 {
		n := p.Node(w % p.Len())
		writers.Go(func() {
			for compared("agreed")-agreed < 60 && ctx.Err() == nil {
				if _, err := clustertest.CreateKey(ctx, n, regionName); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if agreed, unsettled = compared("agreed")-agreed, compared("unsettled")-unsettled; agreed < 60 || unsettled > agreed/3 {
		t.Errorf("%v comparisons agreed, %v found no common index", agreed, unsettled)
	}
	if n := compared("outvoted"); n != 0 {
		t.Errorf("%v outvoted", n)
	}
}

// A restored snapshot under load lies beyond the end of the log; the node starts
// again all the same.
func TestRestartAfterASnapshotBeyondTheLog(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Configure: shortLogs})
	i := p.Follower()
	p.Kill(i)
	p.write(80)
	p.run(i)
	for range 2 {
		p.Kill(i)
		p.write(1)
		p.run(i)
	}
}

// A node that goes away before the leader has its answer to the first entries
// after a snapshot gets them again, and no second snapshot.
func TestFirstEntriesAfterASnapshotMayComeAgain(t *testing.T) {
	t.Parallel()
	var keepLog atomic.Int32 // of the node with this number
	keepLog.Store(-1)
	p := newPatient(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		shortLogs(i, c)
		if int32(i) == keepLog.Load() {
			c.Timing.SnapshotInterval = time.Hour
		}
	}})
	i := p.Follower()
	p.Kill(i)
	keepLog.Store(int32(i))
	p.write(80)
	p.run(i)
	p.write(1)
	p.run(i)
	p.Kill(i)
	p.run(i)
	follows := false
	for limit := time.Now().Add(10 * time.Second); !follows; time.Sleep(10 * time.Millisecond) {
		var err error
		if follows, err = p.Node(p.Leader()).SendAgain(p.Node(i)); time.Now().After(limit) {
			t.Fatalf("the entries behind the snapshot were not taken again: %v", err)
		}
	}
	p.write(1)
	p.run(i)
}

// A node that makes a snapshot while it takes one of the leader's comes to an end
// with both.
func TestSnapshotsOfNodeAndLeaderMeet(t *testing.T) {
	t.Parallel()
	var p *patient
	var meeting atomic.Int32 // the node with this number; -1: none
	meeting.Store(-1)
	asked := make(chan error, 1)
	free := func(i int) {
		// Raft's main goroutine has just begun to take the leader's snapshot.
		if int32(i) != meeting.Load() || !strings.Contains(string(debug.Stack()), "installSnapshot") || !meeting.CompareAndSwap(int32(i), -1) {
			return
		}
		n := p.Node(i)
		go func() { asked <- n.TakeSnapshot() }()
		for limit := time.Now().Add(10 * time.Second); !n.SnapshotWaits(); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Error("the node's own snapshot does not wait for Raft's main goroutine")
				return
			}
		}
	}
	p = newPatient(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		shortLogs(i, c)
		c.Disk.Free = func(string) (uint64, error) {
			free(i)
			return 1 << 40, nil
		}
	}})
	i := p.Follower()
	p.Cut(i)
	p.write(80)
	meeting.Store(int32(i))
	p.Mend(i)
	ctx := within(t, 30*time.Second)
	select {
	case err := <-asked:
		t.Log("the node's own snapshot:", err)
	case <-ctx.Done():
		t.Fatal("the node's own snapshot did not come to an end")
	}
	p.run(i)
	p.write(20)
	p.run(i)
}
