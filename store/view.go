package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// View is the state at one index: a read transaction. Errors besides those
// that a method names are errors of storage, such as ErrDamaged: no answer may
// be given from them.
type View struct {
	tx     *bbolt.Tx
	memos  *memos
	state  *storepb.StateRecord
	region *Region // nil before there is one

	users atomic.Int64 // who must close it, the store included while it shares the view

	mu     sync.Mutex
	tables [record.Buckets]table // those used so far; guarded by mu
}

// openView begins a read transaction. The caller is its one user. The error is
// bbolt's ErrDatabaseNotOpen when db was closed meanwhile.
func openView(db *bbolt.DB, memos *memos) (*View, error) {
	tx, err := db.Begin(false)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return nil, bolterrors.ErrDatabaseNotOpen
	}
	if err != nil {
		return nil, fmt.Errorf("store: begin: %w", err)
	}
	v := &View{tx: tx, memos: memos}
	v.users.Store(1)
	if err := guarded(v.load); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// load reads what every view knows.
func (v *View) load() error {
	meta, err := v.table(record.Meta)
	if err != nil {
		return err
	}
	if v.state, err = loadState(meta); err != nil {
		return err
	}
	if r, ok := v.memos.region.get(struct{}{}, v.state.AppliedIndex); ok {
		v.region = r
		return nil
	}
	t, err := v.table(record.Region)
	if err != nil {
		return err
	}
	r, err := loadRegion(t)
	if err != nil || r == nil {
		return err
	}
	v.region = regionOf(r)
	v.memos.region.put(struct{}{}, v.state.AppliedIndex, v.region)
	return nil
}

// table opens a bucket once. bbolt's own look-up is not safe for several
// goroutines; reading an open bucket is.
func (v *View) table(id record.Bucket) (table, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tables[id].b == nil {
		t, err := openTable(v.tx, id)
		if err != nil {
			return table{}, err
		}
		v.tables[id] = t
	}
	return v.tables[id], nil
}

// share adds a user. It reports false when the view is closed already.
func (v *View) share() bool {
	for {
		n := v.users.Load()
		if n <= 0 {
			return false
		}
		if v.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Close gives the view back. Each view that Store.View returned is closed
// exactly once.
func (v *View) Close() {
	switch n := v.users.Add(-1); {
	case n == 0:
		_ = v.tx.Rollback() // of a read transaction: it only fails when closed twice
	case n < 0:
		panic("store: view closed twice")
	}
}

// Index returns the index of the last entry whose effect the view shows.
func (v *View) Index() uint64 { return v.state.AppliedIndex }

// LastStamp returns the newest stamp of any command applied; zero before the
// first.
func (v *View) LastStamp() time.Time { return timeOf(v.state.LastStampMs) }

// StateHash combines all records. Nodes of a region at the same index have
// the same hash.
func (v *View) StateHash() [32]byte { return [32]byte(v.state.StateHash) }

// Totals counts what a region has.
type Totals struct {
	Keys, Versions, ImportTokens uint64
}

// Totals returns the counters of the region's limits, without looking at keys.
func (v *View) Totals() Totals {
	return Totals{Keys: v.state.Keys, Versions: v.state.Versions, ImportTokens: v.state.ImportTokens}
}

// Region returns what the region is; false before InitRegion was applied.
func (v *View) Region() (Region, bool) {
	if v.region == nil {
		return Region{}, false
	}
	return *v.region, true
}

// Key returns a key, or ErrKeyNotFound.
func (v *View) Key(id crypto.KeyID) (*Key, error) {
	if k, ok := v.memos.keys.get(id, v.state.AppliedIndex); ok {
		return k, nil
	}
	var k *Key
	err := guarded(func() (err error) {
		k, err = v.readKey(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.memos.keys.put(id, v.state.AppliedIndex, k)
	return k, nil
}

// readKey reads a key from the file. A key that has versions is not taken for
// an absent one.
func (v *View) readKey(id crypto.KeyID) (*Key, error) {
	keys, err := v.table(record.Keys)
	if err != nil {
		return nil, err
	}
	r := new(storepb.KeyRecord)
	found, err := keys.load(id[:], r)
	if err != nil {
		return nil, err
	}
	if found {
		return keyOf(id, r)
	}
	n, err := v.countUnder(record.Versions, id[:])
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return nil, damaged("key %s has versions but no record", id)
	}
	return nil, ErrKeyNotFound
}

// Version returns a version of a key, or ErrVersionNotFound.
func (v *View) Version(id crypto.KeyID, version crypto.VersionID) (*Version, error) {
	name := versionName{id, version}
	if ver, ok := v.memos.versions.get(name, v.state.AppliedIndex); ok {
		return ver, nil
	}
	var ver *Version
	err := guarded(func() (err error) {
		ver, err = v.readVersion(id, version)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.memos.versions.put(name, v.state.AppliedIndex, ver)
	return ver, nil
}

// readVersion reads a version from the file. Absence is believed when the key
// has as many versions as its record says.
func (v *View) readVersion(id crypto.KeyID, version crypto.VersionID) (*Version, error) {
	versions, err := v.table(record.Versions)
	if err != nil {
		return nil, err
	}
	r := new(storepb.VersionRecord)
	found, err := versions.load(record.VersionKey(id, version), r)
	if err != nil {
		return nil, err
	}
	if found {
		return decodeVersion(id, version, r), nil
	}
	k, err := v.readKey(id)
	if errors.Is(err, ErrKeyNotFound) {
		return nil, ErrVersionNotFound
	}
	if err != nil {
		return nil, err
	}
	n, err := v.countUnder(record.Versions, id[:])
	if err != nil {
		return nil, err
	}
	named := !version.IsZero() && (version == k.PrimaryVersion || version == k.NextVersion)
	if n != k.Versions || named {
		return nil, damaged("key %s has %d versions, not %d", id, n, k.Versions)
	}
	return nil, ErrVersionNotFound
}

func decodeVersion(id crypto.KeyID, version crypto.VersionID, r *storepb.VersionRecord) *Version {
	return &Version{
		KeyID:     id,
		ID:        version,
		Created:   timeOf(r.CreatedMs),
		Wrapped:   r.Wrapped,
		Algorithm: crypto.Algorithm(r.Algorithm),
	}
}

// Alias returns the key of a name, given with its prefix "alias/", or
// ErrAliasNotFound.
func (v *View) Alias(name string) (crypto.KeyID, error) {
	if id, ok := v.memos.aliases.get(name, v.state.AppliedIndex); ok {
		return id, nil
	}
	if name == "" {
		return crypto.KeyID{}, ErrAliasNotFound
	}
	var id crypto.KeyID
	err := guarded(func() (err error) {
		id, err = v.readAlias(name)
		return err
	})
	if err != nil {
		return crypto.KeyID{}, err
	}
	// The caller may wipe and reuse the memory of name.
	v.memos.aliases.put(strings.Clone(name), v.state.AppliedIndex, id)
	return id, nil
}

// readAlias reads an alias from the file. Absence has to be told by two
// buckets.
func (v *View) readAlias(name string) (crypto.KeyID, error) {
	aliases, err := v.table(record.Aliases)
	if err != nil {
		return crypto.KeyID{}, err
	}
	r := new(storepb.AliasRecord)
	found, err := aliases.load([]byte(name), r)
	if err != nil {
		return crypto.KeyID{}, err
	}
	if found {
		return aliasKey(name, r)
	}
	names, err := v.table(record.AliasNames)
	if err != nil {
		return crypto.KeyID{}, err
	}
	switch _, taken, err := names.get(record.AliasNameKey([]byte(name))); {
	case err != nil:
		return crypto.KeyID{}, err
	case taken:
		return crypto.KeyID{}, damaged("alias %s has a name but no record", name)
	}
	return crypto.KeyID{}, ErrAliasNotFound
}

func aliasKey(name string, r *storepb.AliasRecord) (crypto.KeyID, error) {
	if len(r.KeyId) != record.IDBytes {
		return crypto.KeyID{}, damaged("alias %s has a key id of %d bytes", name, len(r.KeyId))
	}
	return crypto.KeyID(r.KeyId), nil
}

// countUnder counts the records whose keys begin with prefix.
func (v *View) countUnder(id record.Bucket, prefix []byte) (n int, err error) {
	t, err := v.table(id)
	if err != nil {
		return 0, err
	}
	err = t.scan(prefix, func(_, _ []byte) (bool, error) {
		n++
		return true, nil
	})
	return n, err
}
