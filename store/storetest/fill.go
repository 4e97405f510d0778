// Package storetest fills state files for tests and benchmarks.
package storetest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// chunkKeys is how many keys go into one transaction.
const chunkKeys = 50_000

// grownFill is how full the pages of a bucket are that has grown by random
// keys: 1/2 to 1 after splits, ln 2 on average.
const grownFill = 0.69

// Fill adds n enabled keys, each with one version, to the state file at path.
// A region must have been made in it, and no store may have it open. wrap
// seals 32 random bytes as the material of each version.
//
// The file is as if the keys had been created one by one, a millisecond apart,
// before the last stamp: checksums, counters and state hash are right, and
// pages are as full as random ids would leave them. Only the applied index
// does not tell of it: nodes of one region need copies of the same file.
func Fill(path string, n int, wrap func(crypto.Binding, []byte) ([]byte, error)) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Second,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: 16 << 30,
	})
	if err != nil {
		return fmt.Errorf("storetest: %w", err)
	}
	f := &filler{db: db, wrap: wrap, ids: make([]crypto.KeyID, n), sorted: make([]int32, n)}
	for i := range f.ids {
		f.ids[i] = crypto.NewKeyID()
		f.sorted[i] = int32(i)
	}
	slices.SortFunc(f.sorted, func(a, b int32) int { return bytes.Compare(f.ids[a][:], f.ids[b][:]) })
	for from := 0; from < n; from += chunkKeys {
		to := min(from+chunkKeys, n)
		if err := db.Update(func(tx *bbolt.Tx) error { return f.chunk(tx, from, to) }); err != nil {
			return errors.Join(fmt.Errorf("storetest: %w", err), db.Close())
		}
	}
	return db.Close()
}

// filler holds the ids in order of creation, and that order sorted by id.
type filler struct {
	db     *bbolt.DB
	wrap   func(crypto.Binding, []byte) ([]byte, error)
	ids    []crypto.KeyID
	sorted []int32

	region string
	first  int64 // Unix ms at which the first key was created
	hash   record.Digest
}

// chunk adds the keys that come from-th to to-th by id, and the order entries
// that come so by creation.
func (f *filler) chunk(tx *bbolt.Tx, from, to int) error {
	state, err := f.begin(tx, from == 0)
	if err != nil {
		return err
	}
	keys, versions, created := bucket(tx, record.Keys), bucket(tx, record.Versions), bucket(tx, record.Created)
	keys.FillPercent, versions.FillPercent, created.FillPercent = grownFill, grownFill, 0.9
	for _, i := range f.sorted[from:to] {
		id, version, createdMs := f.ids[i], crypto.NewVersionID(), f.first+int64(i)
		var material [32]byte
		rand.Read(material[:])
		wrapped, err := f.wrap(crypto.MaterialOf(f.region, id, version, crypto.AlgorithmXAES256GCM), material[:])
		if err != nil {
			return err
		}
		err = errors.Join(
			f.put(record.Keys, keys, id[:], &storepb.KeyRecord{
				State:          storepb.KeyState_ENABLED,
				Creator:        "1234567890123456",
				CreatedMs:      createdMs,
				PrimaryVersion: version[:],
				Versions:       1,
			}),
			f.put(record.Versions, versions, record.VersionKey(id, version), &storepb.VersionRecord{
				CreatedMs: createdMs,
				Algorithm: uint32(crypto.AlgorithmXAES256GCM),
				Wrapped:   wrapped,
			}))
		if err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		if err := f.put(record.Created, created, record.CreatedKey(f.first+int64(i), f.ids[i]), nil); err != nil {
			return err
		}
	}
	n := uint64(to - from)
	state.Keys, state.Versions, state.Records = state.Keys+n, state.Versions+n, state.Records+3*n
	return f.end(tx, state)
}

// begin reads the state record, and the first time what the keys depend on.
func (f *filler) begin(tx *bbolt.Tx, first bool) (*storepb.StateRecord, error) {
	state := new(storepb.StateRecord)
	if err := load(tx, record.Meta, record.MetaState, state); err != nil {
		return nil, err
	}
	if !first {
		return state, nil
	}
	region := new(storepb.RegionRecord)
	if err := load(tx, record.Region, record.RegionKey, region); err != nil {
		return nil, err
	}
	if len(state.StateHash) != len(f.hash) {
		return nil, errors.New("no state hash")
	}
	f.region, f.hash = region.Region, record.Digest(state.StateHash)
	f.first = max(1, state.LastStampMs-int64(len(f.ids)))
	return state, nil
}

// end writes the state record.
func (f *filler) end(tx *bbolt.Tx, state *storepb.StateRecord) error {
	state.StateHash = f.hash[:]
	message, err := proto.Marshal(state)
	if err != nil {
		return err
	}
	value, _ := record.Seal(record.Meta, record.MetaState, message)
	return bucket(tx, record.Meta).Put(record.MetaState, value)
}

// put writes a new record.
func (f *filler) put(id record.Bucket, b *bbolt.Bucket, key []byte, m proto.Message) error {
	var message []byte
	if m != nil {
		var err error
		if message, err = proto.Marshal(m); err != nil {
			return err
		}
	}
	value, d := record.Seal(id, key, message)
	f.hash.Add(d)
	return b.Put(key, value)
}

func load(tx *bbolt.Tx, id record.Bucket, key []byte, m proto.Message) error {
	b := bucket(tx, id)
	if b == nil {
		return fmt.Errorf("no bucket %s: not a state file", id.Name())
	}
	value := b.Get(key)
	if value == nil {
		return fmt.Errorf("no %s record: the region was not made", id.Name())
	}
	message, _, ok := record.Open(id, key, value)
	if !ok {
		return fmt.Errorf("%s record has a wrong checksum", id.Name())
	}
	return proto.Unmarshal(message, m)
}

func bucket(tx *bbolt.Tx, id record.Bucket) *bbolt.Bucket { return tx.Bucket([]byte(id.Name())) }
