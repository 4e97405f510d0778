package cluster

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/boottime"
	"meridian/crypto"
	"meridian/store"
)

// A fault of storage, or a command that this build does not understand, ends the
// process once, and nothing is applied after it.
func TestFaultInApplyStopsTheMachine(t *testing.T) {
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "state.db"), InitialMmapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var faults []error
	m := &machine{
		store: s, watch: newWatchdog(time.Second, nil),
		fail:    func(err error) { faults = append(faults, err) },
		found:   func([]byte, []byte) error { return nil },
		changed: func(bool, ...crypto.KeyID) {},
		moved:   func() {}, members: newAppliedMembers(boottime.Now), committed: func(uint64, uint64) {},
	}
	good := &raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(raft.Configuration{})}
	if answer := m.ApplyBatch([]*raft.Log{good})[0]; answer != nil {
		t.Fatalf("configuration: %v", answer)
	}
	if m.applied.value.Load() != 1 {
		t.Errorf("applied %d, want 1", m.applied.value.Load())
	}
	bad := &raft.Log{Index: 2, Term: 1, Data: []byte("\x08\x63")} // version 99
	late := &raft.Log{Index: 3, Term: 1, Type: raft.LogConfiguration, Data: good.Data}
	for _, batch := range [][]*raft.Log{{bad}, {late}} {
		answer, ok := m.ApplyBatch(batch)[0].(error)
		if !ok || !errors.Is(answer, errStorage) {
			t.Errorf("entry %d: %v, want an error of storage", batch[0].Index, answer)
		}
	}
	if len(faults) != 1 || !errors.Is(faults[0], store.ErrUnknownCommand) {
		t.Errorf("faults %v, want ErrUnknownCommand once", faults)
	}
	if applied, _ := s.Applied(); applied != 1 || m.applied.value.Load() != 1 {
		t.Errorf("applied %d, published %d after the fault", applied, m.applied.value.Load())
	}
	if _, err := m.Snapshot(); err == nil {
		t.Error("a snapshot of a state that cannot be trusted")
	}
}

func TestNoSnapshotWhileTheLogIsReplayed(t *testing.T) {
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "state.db"), InitialMmapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	configuration := raft.EncodeConfiguration(raft.Configuration{})
	entry := func(index uint64) *raft.Log {
		return &raft.Log{Index: index, Term: 1, Type: raft.LogConfiguration, Data: configuration}
	}
	open := func() *machine {
		return &machine{ctx: t.Context(), store: s, watch: newWatchdog(time.Second, nil), fail: func(err error) { t.Error(err) },
			found: func([]byte, []byte) error { return nil }, changed: func(bool, ...crypto.KeyID) {},
			moved: func() {}, members: newAppliedMembers(boottime.Now), committed: func(uint64, uint64) {}}
	}
	open().ApplyBatch([]*raft.Log{entry(1), entry(2), entry(3)})
	again := open()
	again.ApplyBatch([]*raft.Log{entry(1), entry(2)})
	if _, err := again.Snapshot(); err == nil {
		t.Fatal("snapshot labelled 2 with the content of 3")
	}
	again.ApplyBatch([]*raft.Log{entry(3)})
	sn, err := again.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	sn.Release()
}

// Raft asks for a snapshot, and writes it once its main goroutine has answered
// something. Meanwhile that one may wait for a snapshot of the leader's to be
// restored, which must not wait for the other.
func TestRestoreTakesALentSnapshotBack(t *testing.T) {
	open := func(dir string) *machine {
		s, err := store.Open(store.Config{Path: filepath.Join(dir, "state.db"), InitialMmapSize: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return &machine{ctx: t.Context(), store: s, watch: newWatchdog(time.Second, nil), fail: func(err error) { t.Error(err) },
			found: func([]byte, []byte) error { return nil }, changed: func(bool, ...crypto.KeyID) {},
			moved: func() {}, members: newAppliedMembers(boottime.Now), committed: func(uint64, uint64) {}, hurry: func() bool { return true }}
	}
	configuration := raft.EncodeConfiguration(raft.Configuration{})
	apply := func(m *machine, to uint64) {
		for i := uint64(1); i <= to; i++ {
			m.ApplyBatch([]*raft.Log{{Index: i, Term: 1, Type: raft.LogConfiguration, Data: configuration}})
		}
	}
	snapshot := func(m *machine) raft.FSMSnapshot {
		sn, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sn.Release) // else the store does not close after a failure
		return sn
	}
	restore := func(m *machine, content []byte) (done chan error) {
		done = make(chan error, 1)
		go func() { done <- m.Restore(io.NopCloser(bytes.NewReader(content))) }()
		return done
	}
	await := func(done chan error) {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the restore waits for the snapshot")
		}
	}
	leader, follower := open(t.TempDir()), open(t.TempDir())
	apply(leader, 5)
	var newer, newest memorySink
	sn := snapshot(leader)
	if err := sn.Persist(&newer); err != nil {
		t.Fatal(err)
	}
	sn.Release()
	apply(leader, 9)
	sn = snapshot(leader)
	if err := sn.Persist(&newest); err != nil {
		t.Fatal(err)
	}
	sn.Release()
	apply(follower, 2)

	lent := snapshot(follower)
	await(restore(follower, newer.Bytes()))
	var sink memorySink
	if err := lent.Persist(&sink); !errors.Is(err, errTakenBack) || !sink.cancelled {
		t.Errorf("an overtaken snapshot was written: %v", err)
	}
	lent.Release()

	// One that is being written is waited for until Raft has done with it.
	lent = snapshot(follower)
	sink = memorySink{writing: make(chan struct{}), goOn: make(chan struct{})}
	go func() {
		_ = lent.Persist(&sink)
		lent.Release()
	}()
	<-sink.writing
	done := restore(follower, newest.Bytes())
	select {
	case <-done:
		t.Error("restored while a snapshot was being written")
	case <-time.After(50 * time.Millisecond):
	}
	close(sink.goOn)
	await(done)
	if index, _ := follower.store.Applied(); index != 9 {
		t.Errorf("applied %d after the restore of 9", index)
	}
	snapshot(follower).Release()
}

// memorySink keeps a snapshot. It may stop at the first write until it is let go on.
type memorySink struct {
	bytes.Buffer
	cancelled     bool
	writing, goOn chan struct{}
}

func (s *memorySink) Write(p []byte) (int, error) {
	if s.writing != nil {
		close(s.writing)
		<-s.goOn
		s.writing = nil
	}
	return s.Buffer.Write(p)
}

func (s *memorySink) ID() string    { return "memory" }
func (s *memorySink) Close() error  { return nil }
func (s *memorySink) Cancel() error { s.cancelled = true; return nil }
