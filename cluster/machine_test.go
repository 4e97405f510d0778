package cluster

import (
	"errors"
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
		return &machine{store: s, watch: newWatchdog(time.Second, nil), fail: func(err error) { t.Error(err) },
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
