package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// machine is Raft's state machine: a thin shell over the store. Raft calls it
// from one goroutine.
type machine struct {
	store *store.Store
	watch *watchdog
	fail  func(error)

	// found is called with a region's identity before the command that makes
	// the region is applied, and when a snapshot was restored.
	found func(clusterID, dataEpoch []byte) error
	// changed is called with the keys whose material must leave the caches, or
	// with all when the region is new or was replaced.
	changed func(all bool, keys ...crypto.KeyID)
	// committed is called with the last of the entries that are about to be
	// applied; it does not block.
	committed func(index, term uint64)
	// moved is called when new views show a higher index.
	moved   func()
	members *appliedMembers

	ctx   context.Context // ends with the node
	hurry func() bool     // nobody is served, so that snapshots need not rest

	applied indexWatch // published once new views show the index

	regionKnown bool
	handed      uint64        // index of the last entry that Raft handed over
	lent        *lentSnapshot // the newest that Raft was given
	broken      atomic.Bool
}

var _ raft.BatchingFSM = (*machine)(nil)

// errBroken answers everything that comes after a fault of storage.
var errBroken = fmt.Errorf("%w: the state cannot be trusted until the node was restarted", errStorage)

// errApply marks a fault of the state that applying brought out.
var errApply = errors.New("applying entries")

// Apply is required by raft.FSM; Raft uses ApplyBatch.
func (m *machine) Apply(entry *raft.Log) any { return m.ApplyBatch([]*raft.Log{entry})[0] }

// applyResult is the response to a command, with the term of its log entry.
type applyResult struct {
	result *storepb.Result
	term   uint64
}

// ApplyBatch applies committed entries in one transaction. Each response is an
// applyResult, nil for a configuration, or an error when storage failed.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	results, err := m.apply(logs)
	for i := range responses {
		switch {
		case err != nil:
			responses[i] = err
		case results[i] != nil:
			responses[i] = applyResult{results[i], logs[i].Term}
		}
	}
	return responses
}

func (m *machine) apply(logs []*raft.Log) ([]*storepb.Result, error) {
	if m.broken.Load() {
		return nil, errBroken
	}
	last := logs[len(logs)-1]
	m.committed(last.Index, last.Term)
	entries := make([]store.Entry, len(logs))
	for i, entry := range logs {
		entries[i] = store.Entry{Index: entry.Index, Term: entry.Term, Data: entry.Data}
		if entry.Type == raft.LogConfiguration {
			entries[i].Kind = store.Configuration
		}
	}
	knew := m.regionKnown
	if !knew {
		if err := m.lookForRegion(entries); err != nil {
			return nil, m.broke(err)
		}
	}
	call := m.watch.enter("state: apply")
	results, err := m.store.Apply(entries)
	m.watch.leave(call)
	if err == nil && len(results) != len(entries) {
		err = fmt.Errorf("%d results for %d entries", len(results), len(entries))
	}
	if err != nil {
		return nil, m.broke(fmt.Errorf("%w %d to %d: %w", errApply, logs[0].Index, last.Index, err))
	}
	m.handed = last.Index
	m.dropCiphers(results)
	index, _ := m.store.Applied()
	for _, e := range entries {
		if e.Kind == store.Configuration {
			m.members.set(e.Index, e.Data)
		}
	}
	m.advance(index)
	if !knew && m.regionKnown {
		m.changed(true)
	}
	return results, nil
}

// broke ends the process; nothing is applied any more.
func (m *machine) broke(err error) error {
	m.broken.Store(true)
	err = fmt.Errorf("%w: %w", errStorage, err)
	m.fail(err)
	return err
}

// lookForRegion binds the data folder to the cluster before the state knows it,
// so that a state file can never stand beside a log of another cluster.
func (m *machine) lookForRegion(entries []store.Entry) error {
	if known, err := m.knowsRegion(); err != nil || known {
		return err
	}
	for _, e := range entries {
		if e.Kind != store.Command {
			continue
		}
		var c storepb.Command
		if proto.Unmarshal(e.Data, &c) != nil {
			continue // the store will say so
		}
		if r := c.GetInitRegion(); r != nil {
			m.regionKnown = true
			return m.found(r.ClusterId, r.DataEpoch)
		}
	}
	return nil
}

func (m *machine) knowsRegion() (bool, error) {
	v, err := m.store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	_, m.regionKnown = v.Region()
	return m.regionKnown, nil
}

// dropCiphers drops the material of keys that results leave unusable.
func (m *machine) dropCiphers(results []*storepb.Result) {
	for _, r := range results {
		if r == nil {
			continue
		}
		if r.Key != nil && r.Key.State != storepb.KeyState_ENABLED && len(r.KeyId) == len(crypto.KeyID{}) {
			m.changed(false, crypto.KeyID(r.KeyId))
		}
		for _, id := range slices.Concat(r.Destroyed, r.Expired) {
			if len(id) == len(crypto.KeyID{}) {
				m.changed(false, crypto.KeyID(id))
			}
		}
	}
}

// Snapshot opens a read transaction; the copying is done in Persist.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.broken.Load() {
		return nil, errBroken
	}
	// After a start Raft hands over again what the state has long applied. A
	// snapshot taken meanwhile would be labelled with a lower index than its
	// content, and the start checks rely on labels.
	if applied, _ := m.store.Applied(); m.handed < applied {
		return nil, fmt.Errorf("state is at %d, the log was replayed up to %d only", applied, m.handed)
	}
	sn, err := m.store.Snapshot()
	if err != nil {
		return nil, err
	}
	m.lent = lendSnapshot(machineSnapshot{sn, m.ctx, m.hurry})
	return m.lent, nil
}

// Restore replaces the state by a snapshot, unless the state is ahead of it.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	if m.broken.Load() {
		return errBroken
	}
	if m.lent != nil {
		m.lent.takeBack()
	}
	// Not watched: a copy of the state takes as long as it takes.
	if err := m.store.Restore(r); err != nil {
		if v, unusable := m.store.View(); unusable == nil {
			v.Close()
			return fmt.Errorf("restoring a snapshot: %w", err) // the state is as it was
		}
		return m.broke(fmt.Errorf("restoring a snapshot: %w", err))
	}
	index, _ := m.store.Applied()
	m.handed = max(m.handed, index)
	v, err := m.store.View()
	if err != nil {
		return m.broke(err)
	}
	region, known := v.Region()
	v.Close()
	if known {
		m.regionKnown = true
		if err := m.found(region.ClusterID, region.DataEpoch); err != nil {
			return m.broke(err)
		}
	}
	m.changed(true)
	if err := m.members.load(m.store); err != nil {
		return m.broke(err)
	}
	m.advance(index)
	return nil
}

// advance publishes an index that new views show.
func (m *machine) advance(index uint64) {
	m.applied.advance(index)
	m.moved()
}

// machineSnapshot is a snapshot of the state as Raft wants it.
type machineSnapshot struct {
	snapshot *store.Snapshot
	ctx      context.Context // the node's
	hurry    func() bool
}

func (s machineSnapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.snapshot.Persist(newPacedWriter(s.ctx, sink, s.hurry)); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// lentSnapshot is one that Raft holds. Between asking for it and writing it Raft
// waits for its main goroutine. That may be waiting until a snapshot of the
// leader's is restored, and the restore until nobody reads the state that it
// replaces: so it takes the snapshot back. One that is being written is given up,
// too, and waited for, because Raft would label its log with it afterwards.
type lentSnapshot struct {
	machineSnapshot
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	writing  bool
	returned chan struct{} // closed when the state is not read any more
}

// errTakenBack ends a snapshot that a newer one of the leader's has overtaken.
var errTakenBack = errors.New("cluster: the leader's snapshot came in between")

func lendSnapshot(s machineSnapshot) *lentSnapshot {
	l := &lentSnapshot{machineSnapshot: s, returned: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(s.ctx)
	return l
}

func (l *lentSnapshot) Persist(sink raft.SnapshotSink) error {
	l.mu.Lock()
	gone := context.Cause(l.ctx)
	l.writing = gone == nil
	l.mu.Unlock()
	if gone != nil {
		return errors.Join(gone, sink.Cancel())
	}
	return l.machineSnapshot.Persist(sink)
}

// Release is Raft's.
func (l *lentSnapshot) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack()
}

// takeBack returns once the snapshot does not read the state any more.
func (l *lentSnapshot) takeBack() {
	l.mu.Lock()
	l.cancel(errTakenBack)
	if !l.writing {
		l.giveBack()
	}
	l.mu.Unlock()
	<-l.returned
}

// giveBack is called with the lock held, perhaps again.
func (l *lentSnapshot) giveBack() {
	select {
	case <-l.returned:
		return
	default:
	}
	l.cancel(nil)
	l.snapshot.Release()
	close(l.returned)
}
