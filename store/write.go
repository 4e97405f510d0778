package store

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// loadState reads the record that is written with every batch.
func loadState(meta table) (*storepb.StateRecord, error) {
	state := new(storepb.StateRecord)
	switch found, err := meta.load(record.MetaState, state); {
	case err != nil:
		return nil, err
	case !found:
		return nil, damaged("no state record")
	case len(state.StateHash) != len(record.Digest{}):
		return nil, damaged("state hash of %d bytes", len(state.StateHash))
	}
	return state, nil
}

// saveState writes it.
func (a *applier) saveState() error {
	a.state.StateHash = a.hash[:]
	return a.putMeta(record.MetaState, a.state)
}

// putMeta writes a record that is no part of the state hash.
func (a *applier) putMeta(key []byte, m proto.Message) error {
	message, err := encode(m)
	if err != nil {
		return err
	}
	value, _ := record.Seal(record.Meta, key, message)
	return a.stored(a.tables[record.Meta].b.Put(key, value))
}

// encode leaves room for the checksum.
func encode(m proto.Message) ([]byte, error) {
	options := proto.MarshalOptions{Deterministic: true}
	message, err := options.MarshalAppend(make([]byte, 0, options.Size(m)+record.ChecksumBytes), m)
	if err != nil {
		return nil, fmt.Errorf("store: encode: %w", err)
	}
	return message, nil
}

// stored wraps an error of bbolt.
func (a *applier) stored(err error) error {
	if err != nil {
		return fmt.Errorf("store: write: %w", err)
	}
	return nil
}

// put writes a record, new or not, and brings the state hash up to date. A nil
// m is a record whose key says it all.
func (a *applier) put(id record.Bucket, key []byte, m proto.Message) error {
	var message []byte
	if m != nil {
		var err error
		if message, err = encode(m); err != nil {
			return err
		}
	}
	t := a.tables[id]
	if old := t.b.Get(key); old != nil {
		_, d, err := t.open(key, old)
		if err != nil {
			return err
		}
		a.hash.Add(d)
	} else {
		a.state.Records++
	}
	value, d := record.Seal(id, key, message)
	a.hash.Add(d)
	return a.stored(t.b.Put(key, value))
}

// remove takes a record out. One that is missing is damage: commands remove
// only what the state says is there.
func (a *applier) remove(id record.Bucket, key []byte) error {
	t := a.tables[id]
	old := t.b.Get(key)
	if old == nil {
		return damaged("%s record %x is missing", id.Name(), key)
	}
	_, d, err := t.open(key, old)
	if err != nil {
		return err
	}
	a.hash.Add(d)
	a.state.Records--
	return a.stored(t.b.Delete(key))
}

// key reads a key record for a command.
func (a *applier) key(id crypto.KeyID) (*storepb.KeyRecord, error) {
	k := new(storepb.KeyRecord)
	found, err := a.tables[record.Keys].load(id[:], k)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, refuse(storepb.Code_KEY_NOT_FOUND)
	}
	return k, nil
}

// putKey writes a key record in place of old, nil for a new key, and keeps its
// entries of Due in step.
func (a *applier) putKey(id crypto.KeyID, old, k *storepb.KeyRecord) error {
	a.memos.keys.touch(id, a.index)
	if err := a.put(record.Keys, id[:], k); err != nil {
		return err
	}
	return a.moveDues(id, old, k)
}

// moveDues moves a key's entries in Due from where the old record has them to
// where the new one wants them. Either may be nil.
func (a *applier) moveDues(id crypto.KeyID, old, k *storepb.KeyRecord) error {
	for _, d := range []struct {
		kind byte
		of   func(*storepb.KeyRecord) int64
	}{
		{record.DueDeletion, deletionDue},
		{record.DueRotation, rotationDue},
		{record.DueSwitch, switchDue},
		{record.DueExpiry, expiryDue},
	} {
		if err := a.moveDue(d.kind, id, d.of(old), d.of(k)); err != nil {
			return err
		}
	}
	return nil
}

// deletionDue returns when the key is to be destroyed; 0: never.
func deletionDue(k *storepb.KeyRecord) int64 {
	if k.GetState() != storepb.KeyState_PENDING_DELETION {
		return 0
	}
	return k.DeleteAtMs
}

// rotationDue returns when the key is to be rotated; 0: never, or not while it
// is not enabled.
func rotationDue(k *storepb.KeyRecord) int64 {
	if k.GetState() != storepb.KeyState_ENABLED {
		return 0
	}
	return k.NextRotationMs
}

// switchDue returns since when a version waits to become the primary one; 0:
// none does. It was added by the last rotation.
func switchDue(k *storepb.KeyRecord) int64 {
	if len(k.GetNextVersion()) == 0 {
		return 0
	}
	return k.LastRotationMs
}

// expiryDue returns when the imported material expires; 0: never, or there is
// none.
func expiryDue(k *storepb.KeyRecord) int64 { return k.GetMaterialExpiresMs() }

// moveDue moves a key's entry in Due from one time to another.
func (a *applier) moveDue(kind byte, id crypto.KeyID, from, to int64) error {
	if from == to {
		return nil
	}
	if from != 0 {
		if err := a.remove(record.Due, record.TimedKey(kind, from, id)); err != nil {
			return err
		}
	}
	if to == 0 {
		return nil
	}
	return a.put(record.Due, record.TimedKey(kind, to, id), nil)
}

// putVersion adds a key version.
func (a *applier) putVersion(id crypto.KeyID, version crypto.VersionID, createdMs int64, algorithm uint32, wrapped []byte) error {
	a.memos.versions.touch(versionName{id, version}, a.index)
	a.state.Versions++
	return a.put(record.Versions, record.VersionKey(id, version), &storepb.VersionRecord{
		CreatedMs: createdMs,
		Algorithm: algorithm,
		Wrapped:   wrapped,
	})
}

// removeVersion takes out a key version, by its key in Versions.
func (a *applier) removeVersion(id crypto.KeyID, key []byte) error {
	a.memos.versions.touch(versionName{id, crypto.VersionID(key[record.IDBytes:])}, a.index)
	a.state.Versions--
	return a.remove(record.Versions, key)
}
