package cluster_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

func createAlias(name string, key crypto.KeyID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_CreateAlias{CreateAlias: &storepb.CreateAlias{Name: name, KeyId: key[:]}}}
}

func TestSameCommandIDTakesEffectOnce(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 30*time.Second)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	if err != nil {
		t.Fatal(err)
	}
	command := createAlias("alias/once", key)
	first, err := r.Node(0).Propose(ctx, command)
	if err := clustertest.Decide(first, err); err != nil {
		t.Fatal(err)
	}
	if len(command.Id) != 16 || command.Origin.Node != "n1" {
		t.Fatalf("id and origin not filled in: %v", command)
	}
	// Sent again by every node, and after another leader took over.
	again := func(when string) {
		for i := range r.Len() {
			result, err := r.Node(i).Propose(ctx, command)
			if err != nil || result.Code != storepb.Code_OK || result.CommandIndex != first.CommandIndex {
				t.Errorf("%s, node %d: %v, %v; want the first result", when, i, result, err)
			}
		}
	}
	again("same leader")
	leader := r.Leader()
	r.Kill(leader)
	if err := r.Start(leader); err != nil {
		t.Fatal(err)
	}
	r.WaitReady()
	again("next leader")
	// Without the id it is another command, and the alias is there already.
	result, err := r.Node(0).Propose(ctx, createAlias("alias/once", key))
	if err != nil || result.Code != storepb.Code_ALIAS_EXISTS {
		t.Errorf("another id: %v, %v; want a refusal", result, err)
	}
}

// history is what one writer knows of its key's number: reads must return at
// least what was acknowledged before they began and at most what was sent before
// they ended.
type history struct {
	acknowledged, invoked atomic.Int64
	// starting is a node that was started and is not ready yet, from 1: it may
	// refuse. Nil: none.
	starting *atomic.Int64
}

// write sets the next number. A node that stops leaves the outcome open; the same
// command on another node settles it.
func (h *history) write(ctx context.Context, t *testing.T, r *clustertest.Region, key crypto.KeyID, prefer int) {
	next := h.invoked.Add(1)
	command := clustertest.Describe(key, strconv.FormatInt(next, 10))
	for try := prefer; ctx.Err() == nil; try++ {
		n := r.Node(try % r.Len())
		if n == nil {
			continue
		}
		err := clustertest.Decide(n.Propose(ctx, command))
		switch {
		case err == nil:
			h.acknowledged.Store(next)
			return
		case errors.Is(err, cluster.ErrStopped), errors.Is(err, cluster.ErrOutcomeUnknown) && r.Node(try%r.Len()) != n:
		default:
			t.Errorf("write %d on node %d: %v", next, try%r.Len(), err)
			return
		}
	}
	t.Errorf("write %d: %v", next, ctx.Err())
}

func (h *history) read(ctx context.Context, t *testing.T, r *clustertest.Region, key crypto.KeyID, i int) {
	n := r.Node(i)
	if n == nil {
		return
	}
	mayRefuse := func() bool { return h.starting != nil && h.starting.Load() == int64(i)+1 }
	young := mayRefuse()
	least := h.acknowledged.Load()
	text, err := descriptionOf(ctx, n, key)
	most := h.invoked.Load()
	if err != nil {
		if young = young || mayRefuse(); young && errors.Is(err, cluster.ErrUnavailable) {
			return
		}
		if r.Node(i) == n && !errors.Is(err, cluster.ErrStopped) {
			t.Errorf("read on node %d: %v", i, err)
		}
		return
	}
	got, _ := strconv.ParseInt(text, 10, 64)
	if got < least || got > most {
		t.Errorf("node %d shows %d; acknowledged before: %d, sent before the end: %d", i, got, least, most)
	}
}

func TestLeaderKillsLoseNothingAndFailNothing(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 2*time.Minute)
	const writers, kills = 6, 3
	var over atomic.Bool
	var starting atomic.Int64
	var wg sync.WaitGroup
	keys, histories := make([]crypto.KeyID, writers), make([]history, writers)
	for w := range writers {
		histories[w].starting = &starting
		var err error
		if keys[w], err = clustertest.CreateKey(ctx, r.Node(0), regionName); err != nil {
			t.Fatal(err)
		}
		h := &histories[w]
		wg.Go(func() {
			for !over.Load() && ctx.Err() == nil {
				h.write(ctx, t, r, keys[w], w)
			}
		})
		wg.Go(func() {
			for i := w; !over.Load() && ctx.Err() == nil; i++ {
				h.read(ctx, t, r, keys[w], i%r.Len())
			}
		})
	}
	acknowledged := func() (sum int64) {
		for w := range histories {
			sum += histories[w].acknowledged.Load()
		}
		return sum
	}
	for range kills {
		leader := r.Leader()
		before := acknowledged()
		r.Kill(leader)
		killed := time.Now()
		for acknowledged() < before+2*writers && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		t.Logf("writes back after %v", time.Since(killed).Round(time.Millisecond))
		starting.Store(int64(leader) + 1)
		if err := r.Start(leader); err != nil {
			t.Fatal(err)
		}
		r.WaitReady()
		starting.Store(0)
	}
	over.Store(true)
	wg.Wait()
	for w := range histories {
		for i := range r.Len() {
			histories[w].read(ctx, t, r, keys[w], i)
		}
	}
	t.Logf("%d writes acknowledged", acknowledged())
}

func TestAllNodesKilledAndRestarted(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, time.Minute)
	var keys []crypto.KeyID
	for i := range 30 {
		key, err := clustertest.CreateKey(ctx, r.Node(i%r.Len()), regionName)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for round := range 2 {
		for i := range r.Len() {
			if round == 0 {
				r.Kill(i)
			} else if err := r.Stop(i); err != nil {
				t.Fatal(err)
			}
		}
		for i := range r.Len() {
			if err := r.Start(i); err != nil {
				t.Fatal(err)
			}
		}
		r.WaitReady()
		for i := range r.Len() {
			for _, key := range keys {
				if state, err := stateOf(ctx, r, i, key); err != nil || state != store.Enabled {
					t.Fatalf("round %d, node %d, key %s: %v, %v", round, i, key, state, err)
				}
			}
		}
	}
}

// Without a quorum nothing is answered and nothing is called failed that may
// still happen.
func TestLostQuorum(t *testing.T) {
	const hold = 700 * time.Millisecond
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.Hold = hold }})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	for errors.Is(err, cluster.ErrUnavailable) || errors.Is(err, cluster.ErrOutcomeUnknown) {
		// The hold is too short for an election on a busy machine.
		key, err = clustertest.CreateKey(ctx, r.Node(0), regionName)
	}
	if err != nil {
		t.Fatal(err)
	}
	leader := r.Leader()
	n := r.Node(leader)
	command := clustertest.Disable(key)
	const most = 10
	for attempt := 1; ; attempt++ {
		// The leader does not know yet that it is alone: a write now enters its log,
		// unless the machine is so busy that the leader steps down before.
		waitFor(t, func() bool { return n.Pending() == 0 })
		r.Cut(leader)
		err = clustertest.Decide(n.Propose(ctx, command))
		r.Mend(leader)
		if errors.Is(err, cluster.ErrOutcomeUnknown) {
			break
		}
		if !errors.Is(err, cluster.ErrUnavailable) || attempt == most {
			t.Fatalf("write that entered the log: %v, want ErrOutcomeUnknown", err)
		}
		r.WaitReady()
		leader = r.Leader()
		n = r.Node(leader)
	}
	for i := range r.Len() {
		if i != leader {
			r.Kill(i)
		}
	}
	if _, err := stateOf(ctx, r, leader, key); !errors.Is(err, cluster.ErrUnavailable) {
		t.Errorf("read without a quorum: %v, want ErrUnavailable", err)
	}
	started := time.Now()
	later := clustertest.Describe(key, "never")
	err = clustertest.Decide(n.Propose(ctx, later))
	if !errors.Is(err, cluster.ErrUnavailable) || errors.Is(err, cluster.ErrOutcomeUnknown) {
		t.Errorf("write without a leader: %v, want ErrUnavailable", err)
	}
	if held := time.Since(started); held < hold/2 {
		t.Errorf("held for %v only", held)
	}
	if err := n.Ready(ctx); err == nil {
		t.Error("ready without a quorum")
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	started = time.Now()
	if _, err := stateOf(short, r, leader, key); !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > hold {
		t.Errorf("a caller's deadline does not end the wait: %v after %v", err, time.Since(started))
	}
	for i := range r.Len() {
		if i != leader {
			if err := r.Start(i); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.WaitReady()
	// The same id now decides what was unknown.
	if err := clustertest.Decide(r.Node(leader).Propose(ctx, command)); err != nil {
		t.Errorf("the same command afterwards: %v", err)
	}
	if state, err := stateOf(ctx, r, leader, key); err != nil || state != store.Disabled {
		t.Errorf("state %v, %v", state, err)
	}
	if text, err := descriptionOf(ctx, r.Node(leader), key); err != nil || text != "" {
		t.Errorf("a write that failed as not started took effect: %q, %v", text, err)
	}
}

func TestOversizedAndForeignCommandsAreRefused(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 30*time.Second)
	for i := range r.Len() {
		command := clustertest.Describe(crypto.NewKeyID(), string(make([]byte, 256<<10)))
		if _, err := r.Node(i).Propose(ctx, command); !errors.Is(err, cluster.ErrRefused) {
			t.Errorf("node %d, oversized: %v, want ErrRefused", i, err)
		}
	}
	for i := range r.Len() {
		command := clustertest.Describe(crypto.NewKeyID(), "")
		command.Version = 99
		if _, err := r.Node(i).Propose(ctx, command); !errors.Is(err, cluster.ErrRefused) {
			t.Errorf("node %d, newer version: %v, want ErrRefused", i, err)
		}
	}
}

func TestDiskNearlyFullRefusesWritesButNotTheirUndoing(t *testing.T) {
	var free atomic.Uint64
	free.Store(100 << 20)
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		c.Disk.MinFree = 50 << 20
		c.Disk.Free = func(string) (uint64, error) { return free.Load(), nil }
	}})
	ctx := within(t, 30*time.Second)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	if err != nil {
		t.Fatal(err)
	}
	imported, err := clustertest.ImportKey(ctx, r.Node(0), regionName, time.Time{})
	must(t, err)
	free.Store(40 << 20)
	if err := r.Stop(0); err != nil { // the next start looks at once
		t.Fatal(err)
	}
	if err := r.Start(0); err != nil {
		t.Fatal(err)
	}
	r.WaitReady()
	if err := clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Describe(key, "x"))); !errors.Is(err, cluster.ErrDiskFull) {
		t.Errorf("write: %v, want ErrDiskFull", err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Disable(key))); err != nil {
		t.Errorf("disabling a key: %v", err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, schedule(key))); err != nil {
		t.Errorf("scheduling a deletion: %v", err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, cancelDeletion(key))); err != nil {
		t.Errorf("canceling a deletion: %v", err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Protect(key, true))); err != nil {
		t.Errorf("protecting a key: %v", err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Protect(key, false))); !errors.Is(err, cluster.ErrDiskFull) {
		t.Errorf("ending a key's protection: %v, want ErrDiskFull", err)
	}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, clustertest.DeleteMaterial(imported))); err != nil {
		t.Errorf("deleting material: %v", err)
	}
	if s := r.Node(0).Status(); !s.Disk.Low || s.Disk.Free != 40<<20 {
		t.Errorf("status says %+v", s.Disk)
	}
}

// A key that is due is destroyed once there is room, and not before.
func TestDiskNearlyFullDestroysNothing(t *testing.T) {
	var free atomic.Uint64
	var ahead atomic.Int64
	free.Store(100 << 20)
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		c.Disk.MinFree = 50 << 20
		c.Disk.Free = func(string) (uint64, error) { return free.Load(), nil }
		c.Timing.Jobs = 5 * time.Millisecond
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}})
	ctx := within(t, 60*time.Second)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	must(t, clustertest.Decide(r.Node(0).Propose(ctx, schedule(key))))
	imported, err := clustertest.ImportKey(ctx, r.Node(0), regionName, time.Now().Add(7*24*time.Hour))
	must(t, err)
	restart := func(left uint64) { // the next start looks at once
		t.Helper()
		must(t, r.Stop(0))
		free.Store(left)
		must(t, r.Start(0))
		r.WaitReady()
	}
	there := func() bool {
		err := r.Node(0).Read(ctx, func(v *store.View) error { _, err := v.Key(key); return err })
		if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	ahead.Store(int64(8 * 24 * time.Hour))
	restart(40 << 20)
	destroy := &storepb.Command{Body: &storepb.Command_DestroyKeys{DestroyKeys: &storepb.DestroyKeys{KeyIds: [][]byte{key[:]}}}}
	if err := clustertest.Decide(r.Node(0).Propose(ctx, destroy)); !errors.Is(err, cluster.ErrDiskFull) {
		t.Errorf("destroying: %v, want ErrDiskFull", err)
	}
	waitFor(t, func() bool { // material can come again: it does expire
		state, err := stateOf(ctx, r, 0, imported)
		return err == nil && state == store.PendingImport
	})
	for range 40 { // as many turns of the job and more
		if !there() {
			t.Fatal("a key was destroyed while the disk was nearly full")
		}
		time.Sleep(5 * time.Millisecond)
	}
	restart(100 << 20)
	for there() {
		if ctx.Err() != nil {
			t.Fatal("the key was not destroyed once there was room")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// When the leader's disk alone is low, the error names it at every node.
func TestDiskNearlyFullNamesTheLeader(t *testing.T) {
	var low [3]atomic.Bool
	r := clustertest.New(t, clustertest.Options{Nodes: 3, Configure: func(i int, c *cluster.Config) {
		c.Disk.MinFree = 50 << 20
		c.Disk.Free = func(string) (uint64, error) {
			if low[i].Load() {
				return 40 << 20, nil
			}
			return 100 << 20, nil
		}
	}})
	ctx := within(t, 60*time.Second)
	leader := r.Leader()
	low[leader].Store(true)
	for !r.Node(leader).Status().Disk.Low { // it looks every few seconds
		if ctx.Err() != nil {
			t.Fatal("the leader did not look")
		}
		time.Sleep(20 * time.Millisecond)
	}
	name := r.Node(leader).Status().NodeID
	for i := range r.Len() {
		err := clustertest.Decide(r.Node(i).Propose(ctx, clustertest.Describe(crypto.NewKeyID(), "x")))
		var full *cluster.DiskFullError
		if !errors.As(err, &full) || !errors.Is(err, cluster.ErrDiskFull) || full.Leader != name {
			t.Errorf("node %d: %v, want a full disk at %s", i, err, name)
		}
	}
}

func schedule(key crypto.KeyID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_ScheduleKeyDeletion{ScheduleKeyDeletion: &storepb.ScheduleKeyDeletion{KeyId: key[:], Days: 7}}}
}

func cancelDeletion(key crypto.KeyID) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_CancelKeyDeletion{CancelKeyDeletion: &storepb.CancelKeyDeletion{KeyId: key[:]}}}
}

func deleteAlias(name string) *storepb.Command {
	return &storepb.Command{Body: &storepb.Command_DeleteAlias{DeleteAlias: &storepb.DeleteAlias{Name: name}}}
}
