package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Store is the state of a region on one node. Its methods may be called from
// several goroutines.
type Store struct {
	cfg   Config
	write sync.Mutex // held by Apply, Restore and Close: one changes the state at a time
	stuck bool       // bbolt holds its locks for ever after a panic; guarded by write

	shared  atomic.Pointer[View] // at the applied index; nil while the state changes, and until someone asks
	applied atomic.Pointer[position]

	mu     sync.Mutex // guards what follows
	db     *bbolt.DB
	memos  *memos
	hashes hashRing
	busy   bool  // the state changes: no view may be shared
	fault  error // why the store takes no more calls
}

// position is a place in the log.
type position struct{ index, term uint64 }

// Applied returns index and term of the last entry applied here. They come
// from memory and are published only when its effect is on disk and new views
// show it.
func (s *Store) Applied() (index, term uint64) {
	p := s.applied.Load()
	return p.index, p.term
}

// Close waits for open views and snapshots and closes the file. Later calls of
// other methods return ErrClosed; closing again does nothing. After a panic in bbolt the file stays open until the
// process ends.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	if _, err := s.beginWrite(); errors.Is(err, ErrClosed) {
		return nil
	} // after any other fault the file still has to be closed
	s.endWrite(nil, nil, ErrClosed)
	if s.stuck {
		return nil
	}
	s.mu.Lock()
	db := s.db
	s.mu.Unlock()
	if err := db.Close(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// unusable returns why the store takes no more calls, or nil.
func (s *Store) unusable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// beginWrite makes way for a write transaction: it takes the shared view back.
// One that has to enlarge the mapping waits until every view is closed; the
// views that are opened from now on are each closed by the caller that asked
// for them, so that the wait has an end. The caller holds s.write.
func (s *Store) beginWrite() (*bbolt.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return nil, s.fault
	}
	s.busy = true
	if v := s.shared.Swap(nil); v != nil {
		v.Close()
	}
	return s.db, nil
}

// endWrite publishes what was applied, with the state hash after each entry,
// unless p is nil, or makes the store unusable.
func (s *Store) endWrite(p *position, hashes []indexHash, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	if fault != nil {
		s.fault = fault
	}
	if p != nil {
		s.applied.Store(p)
		s.hashes.add(hashes)
	}
}

// View returns the state at the applied index or later. The caller closes it
// soon: an open view makes the file grow. A view may be used by several
// goroutines.
//
// Between writes all callers share one view, which costs no allocation. While
// a write is under way each gets a view of its own.
func (s *Store) View() (*View, error) {
	for {
		if v := s.shared.Load(); v != nil && v.share() {
			return v, nil
		}
		v, err := s.openView()
		if !errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			return v, err
		}
		// The database was replaced by a restore, or closed: look again.
	}
}

func (s *Store) openView() (*View, error) {
	s.mu.Lock()
	if s.fault != nil {
		defer s.mu.Unlock()
		return nil, s.fault
	}
	if s.busy {
		db, memos := s.db, s.memos
		s.mu.Unlock()
		return openView(db, memos)
	}
	defer s.mu.Unlock()
	if v := s.shared.Load(); v != nil && v.share() {
		return v, nil
	}
	v, err := openView(s.db, s.memos)
	if err != nil {
		return nil, err
	}
	v.share() // once for the store, once for the caller
	s.shared.Store(v)
	return v, nil
}

// privateView returns a view that stays open for long and is therefore shared
// with nobody.
func (s *Store) privateView() (*View, error) {
	for {
		s.mu.Lock()
		db, memos, fault := s.db, s.memos, s.fault
		s.mu.Unlock()
		if fault != nil {
			return nil, fault
		}
		v, err := openView(db, memos)
		if !errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
			return v, err
		}
	}
}
