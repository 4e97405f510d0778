package store

import (
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// deleteKeyMaterial takes the imported material out of a key in any state. A
// key without material stays as it is.
func (a *applier) deleteKeyMaterial(c *storepb.DeleteKeyMaterial) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	k, err := a.key(id)
	if err != nil {
		return nil, err
	}
	if k.Origin != external {
		return nil, refuse(storepb.Code_UNSUPPORTED_ORIGIN)
	}
	if len(k.PrimaryVersion) != 0 {
		if k, err = a.removeMaterial(id, k); err != nil {
			return nil, err
		}
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k}, nil
}

// expireKeyMaterial takes the material out of keys where it has expired by the
// command's stamp. Keys whose material has not stay, and are listed in the
// result; keys that are gone are passed over.
func (a *applier) expireKeyMaterial(c *storepb.ExpireKeyMaterial) (*storepb.Result, error) {
	r := &storepb.Result{Code: storepb.Code_OK}
	var err error
	r.Expired, err = a.eachDue(r, c.KeyIds, expiryDue, func(id crypto.KeyID, k *storepb.KeyRecord) error {
		_, err := a.removeMaterial(id, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// removeMaterial takes the version of a key with imported material out. What
// tells whether the same material comes again stays. No tombstone: it may.
func (a *applier) removeMaterial(id crypto.KeyID, old *storepb.KeyRecord) (*storepb.KeyRecord, error) {
	versions, err := a.keysUnder(record.Versions, id)
	if err != nil {
		return nil, err
	}
	if len(versions) != int(old.Versions) {
		return nil, damaged("key %s has %d versions, not %d", id, len(versions), old.Versions)
	}
	for _, key := range versions {
		if err := a.removeVersion(id, key); err != nil {
			return nil, err
		}
	}
	k := proto.CloneOf(old)
	k.PrimaryVersion, k.Versions, k.MaterialExpiresMs = nil, 0, 0
	if k.State != storepb.KeyState_PENDING_DELETION {
		a.setState(k, storepb.KeyState_PENDING_IMPORT)
	}
	return k, a.putKey(id, old, k)
}
