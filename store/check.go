package store

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"meridian/store/internal/record"
)

// checkSuffix marks the copy that Check makes of the file.
const checkSuffix = ".check"

// Check reads the whole state: every record's checksum, the state hash, the
// counters, and bbolt's own structure. It takes seconds for a million keys and
// runs beside reads and writes. The structure is checked on a copy beside the
// file, because bbolt's checker cannot share a database with a writer: it needs
// Size bytes on the disk for a while. The error is ErrDamaged, ctx's, or what the
// disk says about the copy.
func (s *Store) Check(ctx context.Context) error {
	v, err := s.privateView()
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.checkRecords(ctx); err != nil {
		return err
	}
	return s.checkCopy(ctx, v)
}

// CheckRecords is Check without bbolt's structure, and without a copy.
func (s *Store) CheckRecords(ctx context.Context) error {
	v, err := s.privateView()
	if err != nil {
		return err
	}
	defer v.Close()
	return v.checkRecords(ctx)
}

// Size returns the bytes of the state file that hold pages.
func (s *Store) Size() (int64, error) {
	v, err := s.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	return v.tx.Size(), nil
}

func (s *Store) checkCopy(ctx context.Context, v *View) (err error) {
	path := s.cfg.Path + checkSuffix
	defer func() { err = errors.Join(err, removeFile(path)) }()
	if err := guarded(func() error { return v.tx.CopyFile(path, 0o600) }); err != nil {
		return fmt.Errorf("store: check: %w", err)
	}
	db, err := s.openDatabase(path, readOnly)
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error { return checkStructure(ctx, tx) })
	return errors.Join(err, db.Close())
}

// check reads all that a view shows. No writer may use its database.
func (v *View) check(ctx context.Context) error {
	// Records first: bbolt checks in a goroutine of its own, where a page that
	// makes it panic would end the process.
	if err := v.checkRecords(ctx); err != nil {
		return err
	}
	return checkStructure(ctx, v.tx)
}

func checkStructure(ctx context.Context, tx *bbolt.Tx) error {
	for err := range tx.Check() {
		if err != nil && ctx.Err() == nil {
			return damaged("%v", err)
		}
	}
	return ctx.Err()
}

// checkRecords reads every record.
func (v *View) checkRecords(ctx context.Context) error {
	return guarded(func() error { return v.readRecords(ctx) })
}

func (v *View) readRecords(ctx context.Context) error {
	var hash record.Digest
	var counts [record.Buckets]uint64
	for id := range record.Buckets {
		t, err := v.table(id)
		if err != nil {
			return err
		}
		err = t.scan(nil, func(key, message []byte) (bool, error) {
			if counts[id]++; counts[id]%1024 == 0 && ctx.Err() != nil {
				return false, ctx.Err()
			}
			if id != record.Meta {
				hash.Add(record.DigestOf(id, key, message))
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	if hash != record.Digest(v.state.StateHash) {
		return damaged("state hash differs")
	}
	return v.checkCounts(counts)
}

// checkCounts compares the counters with what there is.
func (v *View) checkCounts(counts [record.Buckets]uint64) error {
	var records uint64
	for id, n := range counts {
		if record.Bucket(id) != record.Meta {
			records += n
		}
	}
	for _, c := range []struct {
		what      string
		want, got uint64
	}{
		{"records", v.state.Records, records},
		{"keys", v.state.Keys, counts[record.Keys]},
		{"keys in order", v.state.Keys, counts[record.Created]},
		{"versions", v.state.Versions, counts[record.Versions]},
		{"aliases", v.state.Aliases, counts[record.Aliases]},
		{"alias names", v.state.Aliases, counts[record.AliasNames]},
		{"aliases of keys", v.state.Aliases, counts[record.KeyAliases]},
		{"tombstones", v.state.Tombstones, counts[record.Tombstones]},
		{"nonces", v.state.Nonces, counts[record.Nonces]},
		{"results", v.state.Results, counts[record.Results]},
		{"import tokens", v.state.ImportTokens, counts[record.ImportTokens]},
		{"expiries", v.state.Nonces + v.state.Results + v.state.ImportTokens, counts[record.Expiry]},
	} {
		if c.want != c.got {
			return fmt.Errorf("%w: %d %s, counted %d", ErrDamaged, c.want, c.what, c.got)
		}
	}
	return nil
}
