package cluster

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// errStorage marks an error of storage: never an answer, always the end of the
// process.
var errStorage = errors.New("cluster: storage failed")

// logBackend is what a Raft log on disk offers; *raftboltdb.BoltStore is one.
type logBackend interface {
	raft.LogStore
	raft.StableStore
}

// raftStore is Raft's log and stable store under the watchdog. Raft goes on
// after some errors of storage and panics on others; here each ends the process,
// because after a failed write or sync nobody knows what the disk holds.
type raftStore struct {
	backend logBackend
	watch   *watchdog
	fail    func(error)
	observe func(operation string, took time.Duration)

	// newestConfiguration is the highest index of a configuration entry that
	// was ever in the log, as far as this process has seen; Raft itself does
	// not tell the index of its latest configuration. A higher one than the true
	// one does no harm.
	newestConfiguration atomic.Uint64

	// labelled returns the term that a snapshot here is labelled with, if one has
	// this index; nil until the snapshots are open.
	labelled func(index uint64) (term uint64, ok bool)
}

// findConfigurations looks for configuration entries from an index on.
func (s *raftStore) findConfigurations(from, to uint64) error {
	for i := from; i <= to; i++ {
		var entry raft.Log
		if err := s.GetLog(i, &entry); err != nil {
			return err
		}
		s.see(&entry)
	}
	return nil
}

func (s *raftStore) see(entry *raft.Log) {
	if entry.Type == raft.LogConfiguration && entry.Index > s.newestConfiguration.Load() {
		s.newestConfiguration.Store(entry.Index)
	}
}

var (
	_ raft.LogStore          = (*raftStore)(nil)
	_ raft.StableStore       = (*raftStore)(nil)
	_ raft.MonotonicLogStore = (*raftStore)(nil)
)

// IsMonotonic makes Raft empty the log when it installs a snapshot. Otherwise
// it keeps what lies near the end or beyond the snapshot, entries that were
// perhaps never committed among them, and a gap may follow.
func (s *raftStore) IsMonotonic() bool { return true }

func (s *raftStore) do(name string, f func() error) error {
	started := time.Now()
	call := s.watch.enter(name)
	err := f()
	s.watch.leave(call)
	if s.observe != nil {
		s.observe(name, time.Since(started))
	}
	if err == nil || isMissing(err) {
		return err
	}
	err = fmt.Errorf("%w: %s: %w", errStorage, name, err)
	s.fail(err)
	return err
}

// isMissing tells an entry or key that is not there from a failure.
func isMissing(err error) bool {
	return errors.Is(err, raft.ErrLogNotFound) || errors.Is(err, raftboltdb.ErrKeyNotFound)
}

func (s *raftStore) FirstIndex() (index uint64, err error) {
	err = s.do("raft log: first index", func() error { index, err = s.backend.FirstIndex(); return err })
	return index, err
}

func (s *raftStore) LastIndex() (index uint64, err error) {
	err = s.do("raft log: last index", func() error { index, err = s.backend.LastIndex(); return err })
	return index, err
}

func (s *raftStore) GetLog(index uint64, entry *raft.Log) error {
	err := s.do("raft log: read", func() error { return s.backend.GetLog(index, entry) })
	if err != nil && isMissing(err) && s.endOfSnapshot(index, entry) {
		return nil
	}
	return err
}

// endOfSnapshot stands in for the last entry that a snapshot covers, where the log
// begins right behind it. Raft knows its term only while the log is empty: a leader
// that had no answer to the first entries after a snapshot sends them again, the
// follower does not find the entry before them, and gets the snapshot, again and
// again. Only index and term are ever looked at. The first entry of all a leader
// would send as it is read here.
func (s *raftStore) endOfSnapshot(index uint64, entry *raft.Log) bool {
	if s.labelled == nil || index <= 1 {
		return false
	}
	if first, err := s.FirstIndex(); err != nil || first != index+1 {
		return false
	}
	term, ok := s.labelled(index)
	if ok {
		*entry = raft.Log{Index: index, Term: term, Type: raft.LogNoop}
	}
	return ok
}

func (s *raftStore) StoreLog(entry *raft.Log) error {
	s.see(entry)
	return s.do("raft log: append", func() error { return s.backend.StoreLog(entry) })
}

func (s *raftStore) StoreLogs(entries []*raft.Log) error {
	for _, entry := range entries {
		s.see(entry)
	}
	return s.do("raft log: append", func() error { return s.backend.StoreLogs(entries) })
}

func (s *raftStore) DeleteRange(from, to uint64) error {
	return s.do("raft log: delete", func() error { return s.backend.DeleteRange(from, to) })
}

func (s *raftStore) Set(key, value []byte) error {
	return s.do("raft log: set", func() error { return s.backend.Set(key, value) })
}

func (s *raftStore) Get(key []byte) (value []byte, err error) {
	err = s.do("raft log: get", func() error { value, err = s.backend.Get(key); return err })
	return value, err
}

func (s *raftStore) SetUint64(key []byte, value uint64) error {
	return s.do("raft log: set", func() error { return s.backend.SetUint64(key, value) })
}

func (s *raftStore) GetUint64(key []byte) (value uint64, err error) {
	err = s.do("raft log: get", func() error { value, err = s.backend.GetUint64(key); return err })
	return value, err
}
