package store

import (
	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// maxDestroyed bounds the keys of one DestroyKeys or ExpireKeyMaterial, so that a
// transaction stays small.
const maxDestroyed = 1024

// destroyKeys removes the keys whose deletion is due by the command's stamp.
// Keys that are not due, or no longer pending deletion, stay and are listed in
// the result; keys that are gone already are passed over.
func (a *applier) destroyKeys(c *storepb.DestroyKeys) (*storepb.Result, error) {
	r := &storepb.Result{Code: storepb.Code_OK}
	var err error
	r.Destroyed, err = a.eachDue(r, c.KeyIds, deletionDue, a.destroyKey)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// eachDue does f to every key of ids that is due by the command's stamp, and
// returns which these were. Keys that are not due stay and are listed in r, whose
// code says so if there are no others; keys that are gone are passed over.
func (a *applier) eachDue(r *storepb.Result, ids [][]byte, due func(*storepb.KeyRecord) int64, f func(crypto.KeyID, *storepb.KeyRecord) error) (done [][]byte, err error) {
	if len(ids) > maxDestroyed {
		return nil, invalid("%d keys", len(ids))
	}
	for _, rawID := range ids {
		if _, err := keyID(rawID); err != nil {
			return nil, err
		}
	}
	for _, rawID := range ids {
		id := crypto.KeyID(rawID)
		k := new(storepb.KeyRecord)
		found, err := a.tables[record.Keys].load(id[:], k)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		if at := due(k); at == 0 || at > a.stamp {
			r.NotDue = append(r.NotDue, rawID)
			continue
		}
		if err := f(id, k); err != nil {
			return nil, err
		}
		done = append(done, rawID)
	}
	if len(done) == 0 && len(r.NotDue) > 0 {
		r.Code = storepb.Code_NOT_DUE
	}
	return done, nil
}

// destroyKey removes a key with all that belongs to it and leaves a tombstone
// for each version. A key that never had material leaves one under the zero
// version, so that its id stays taken.
func (a *applier) destroyKey(id crypto.KeyID, k *storepb.KeyRecord) error {
	versions, err := a.keysUnder(record.Versions, id)
	if err != nil {
		return err
	}
	if len(versions) != int(k.Versions) {
		return damaged("key %s has %d versions, not %d", id, len(versions), k.Versions)
	}
	for _, key := range versions {
		if err := a.removeVersion(id, key); err != nil {
			return err
		}
	}
	if len(versions) == 0 { // none ever, or material that was taken out before
		none := make([]byte, record.IDBytes)
		copy(none, k.ImportVersion)
		versions = [][]byte{record.VersionKey(id, crypto.VersionID(none))}
	}
	for _, key := range versions {
		a.state.Tombstones++
		if err := a.put(record.Tombstones, key, &storepb.Tombstone{Index: a.index, DestroyedMs: a.stamp}); err != nil {
			return err
		}
	}
	if err := a.removeBelongings(id, k); err != nil {
		return err
	}
	if err := a.moveDues(id, k, nil); err != nil {
		return err
	}
	if err := a.remove(record.Created, record.CreatedKey(k.CreatedMs, id)); err != nil {
		return err
	}
	a.state.Keys--
	a.memos.keys.touch(id, a.index)
	return a.remove(record.Keys, id[:])
}

// removeBelongings removes a key's aliases, tags, import tokens and policy.
func (a *applier) removeBelongings(id crypto.KeyID, k *storepb.KeyRecord) error {
	aliases, err := a.keysUnder(record.KeyAliases, id)
	if err != nil {
		return err
	}
	for _, key := range aliases {
		if err := a.removeAlias(id, string(key[record.IDBytes:])); err != nil {
			return err
		}
	}
	tags, err := a.keysUnder(record.Tags, id)
	if err != nil {
		return err
	}
	for _, key := range tags {
		if err := a.remove(record.Tags, key); err != nil {
			return err
		}
	}
	if err := a.dropTokens(k.ImportTokens); err != nil {
		return err
	}
	if !k.Policy {
		return nil
	}
	return a.remove(record.Policies, id[:])
}

// keysUnder collects the keys of a table that begin with a key's id. Deleting
// while a cursor runs would skip some.
func (a *applier) keysUnder(b record.Bucket, id crypto.KeyID) ([][]byte, error) {
	var keys [][]byte
	err := a.tables[b].scan(id[:], func(key, _ []byte) (bool, error) {
		keys = append(keys, append([]byte(nil), key...))
		return true, nil
	})
	return keys, err
}
