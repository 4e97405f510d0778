package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"meridian/store/storepb"
)

// Restore replaces the state by a snapshot's. The snapshot is written beside
// the state file, checked to the last record and synced before it takes the
// file's place; until then the state stays as it is, also through a crash.
// Readers go on meanwhile and see the old state or the new one.
//
// State only goes forward: a snapshot of the same data epoch at or below the
// applied index is skipped, without an error, so that no acknowledged write is
// taken back.
//
// Errors before the exchange leave the store as it was: ErrSnapshot,
// ErrForeignSnapshot, ErrDamaged, ErrFeatureLevel, or what the disk says. An
// error of the exchange itself leaves it unusable.
func (s *Store) Restore(r io.Reader) error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.unusable(); err != nil {
		return err
	}
	trailer, err := s.receive(r)
	if err != nil {
		return errors.Join(err, s.discardNew())
	}
	stale, err := s.judge(trailer)
	if err == nil && !stale {
		err = s.checkNew(trailer)
	}
	if err != nil || stale {
		return errors.Join(err, s.discardNew())
	}
	return s.exchange()
}

// receive writes the snapshot's database to newPath, on disk.
func (s *Store) receive(r io.Reader) (*storepb.SnapshotTrailer, error) {
	f, err := s.cfg.OpenFile(s.newPath(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: restore: %w", err)
	}
	trailer, err := readSnapshot(r, f)
	if err == nil {
		err = syncFile(f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return trailer, nil
}

// judge compares the snapshot with the state that it would replace.
func (s *Store) judge(t *storepb.SnapshotTrailer) (stale bool, err error) {
	v, err := s.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	now, ok := v.Region()
	if ok && len(t.ClusterId) > 0 && !bytes.Equal(now.ClusterID, t.ClusterId) {
		return false, ErrForeignSnapshot
	}
	sameEpoch := bytes.Equal(now.DataEpoch, t.DataEpoch) || len(t.DataEpoch) == 0
	if sameEpoch && t.AppliedIndex <= v.Index() {
		s.cfg.Logger.Info("skipped a snapshot that is not newer than the state",
			"snapshot", t.AppliedIndex, "applied", v.Index())
		return true, nil
	}
	return false, nil
}

// checkNew opens the new file read-only and checks every record, and that it
// holds what the trailer says.
func (s *Store) checkNew(t *storepb.SnapshotTrailer) error {
	if err := s.completeNew(); err != nil {
		return err
	}
	db, err := s.openDatabase(s.newPath(), readOnly)
	if err != nil {
		return err
	}
	err = checkDatabase(db, t)
	return errors.Join(err, db.Close())
}

// completeNew adds the buckets that the snapshot of an earlier build has not got.
func (s *Store) completeNew() error {
	db, err := s.openDatabase(s.newPath(), readOnly)
	if err != nil {
		return err
	}
	var missing bool
	err = guarded(func() error {
		missing, err = lacksBuckets(db)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil || !missing {
		return err
	}
	if db, err = s.openDatabase(s.newPath(), readWrite); err != nil {
		return err
	}
	return errors.Join(guarded(func() error { return addBuckets(db) }), db.Close())
}

func checkDatabase(db *bbolt.DB, t *storepb.SnapshotTrailer) error {
	v, err := openView(db, newMemos())
	if err != nil {
		return err
	}
	defer v.Close()
	if err := understood(v); err != nil {
		return err
	}
	switch r, _ := v.Region(); {
	case v.state.AppliedIndex != t.AppliedIndex, v.state.AppliedTerm != t.AppliedTerm,
		!bytes.Equal(v.state.StateHash, t.StateHash),
		!bytes.Equal(r.ClusterID, t.ClusterId), !bytes.Equal(r.DataEpoch, t.DataEpoch), r.FeatureLevel != t.FeatureLevel:
		return fmt.Errorf("%w: trailer of another state", ErrSnapshot)
	}
	return v.check(context.Background())
}

// exchange puts the new file into the state file's place and opens it.
func (s *Store) exchange() (err error) {
	old, err := s.beginWrite()
	if err != nil {
		return errors.Join(err, s.discardNew())
	}
	defer func() { s.endWrite(nil, nil, err) }()
	if err := s.moveIntoPlace(); err != nil {
		return err
	}
	db, err := s.openDatabase(s.cfg.Path, readWrite)
	if err != nil {
		return err
	}
	if err := s.install(db); err != nil {
		return errors.Join(err, db.Close())
	}
	if err := old.Close(); err != nil { // waits for the readers of the old state
		return fmt.Errorf("store: close the replaced state: %w", err)
	}
	index, term := s.Applied()
	s.cfg.Logger.Info("restored a snapshot", "index", index, "term", term)
	return nil
}

// discardNew removes a file that is not wanted.
func (s *Store) discardNew() error {
	if err := removeFile(s.newPath()); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return nil
}
