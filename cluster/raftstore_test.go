package cluster

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// When Raft installs a snapshot it empties a log that calls itself monotonic,
// so that no entry of a lost leader survives beyond the snapshot. It sees the
// log through its cache.
func TestRaftLogIsEmptiedForASnapshot(t *testing.T) {
	db, err := raftboltdb.NewBoltStore(filepath.Join(t.TempDir(), "raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s := &raftStore{backend: checkedLog{db}, watch: newWatchdog(time.Minute, nil), fail: func(err error) { t.Error(err) }}
	logs, err := raft.NewLogCache(512, s)
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := raft.LogStore(logs).(raft.MonotonicLogStore); !ok || !m.IsMonotonic() {
		t.Fatal("Raft keeps the end of the log when it installs a snapshot")
	}

	entries := func(from, to, term uint64) (e []*raft.Log) {
		for i := from; i <= to; i++ {
			e = append(e, &raft.Log{Index: i, Term: term, Type: raft.LogNoop})
		}
		return e
	}
	if err := logs.StoreLogs(entries(1, 100, 1)); err != nil {
		t.Fatal(err)
	}
	if err := logs.DeleteRange(1, 100); err != nil { // as Raft does after the snapshot of entry 50
		t.Fatal(err)
	}
	first, _ := logs.FirstIndex()
	last, err := logs.LastIndex()
	if err != nil || first != 0 || last != 0 {
		t.Fatalf("entries %d to %d, %v; want none", first, last, err)
	}
	if err := logs.StoreLogs(entries(51, 60, 2)); err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 100; i++ {
		var entry raft.Log
		err := s.GetLog(i, &entry)
		if here := i >= 51 && i <= 60; here != (err == nil) || here && entry.Term != 2 {
			t.Errorf("entry %d: term %d, %v", i, entry.Term, err)
		}
	}
}

// Where the log begins right behind a snapshot, Raft asks for the entry before its
// first one when a leader sends that again.
func TestRaftLogKnowsTheEntryBeforeItsFirst(t *testing.T) {
	db, err := raftboltdb.NewBoltStore(filepath.Join(t.TempDir(), "raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s := &raftStore{backend: checkedLog{db}, watch: newWatchdog(time.Minute, nil), fail: func(err error) { t.Error(err) }}
	labels := map[uint64]uint64{1: 1, 30: 2, 40: 3, 60: 5}
	s.labelled = func(index uint64) (uint64, bool) { term, ok := labels[index]; return term, ok }
	for _, tc := range []struct {
		from, to uint64 // the log
		known    uint64 // besides; 0: nothing
	}{
		{41, 50, 40}, {31, 50, 30}, {35, 50, 0}, {0, 0, 0}, {2, 9, 0},
	} {
		for i := tc.from; i > 0 && i <= tc.to; i++ {
			if err := s.StoreLog(&raft.Log{Index: i, Term: 9}); err != nil {
				t.Fatal(err)
			}
		}
		for i := uint64(1); i <= 70; i++ {
			var entry raft.Log
			err := s.GetLog(i, &entry)
			switch {
			case i == tc.known && (err != nil || entry.Index != i || entry.Term != labels[i]):
				t.Errorf("log from %d, entry %d: %+v, %v", tc.from, i, entry, err)
			case i != tc.known && (err == nil) != (i >= tc.from && i <= tc.to):
				t.Errorf("log from %d, entry %d: %+v, %v", tc.from, i, entry, err)
			}
		}
		if err := s.DeleteRange(1, 70); err != nil {
			t.Fatal(err)
		}
	}
}
