package store

import (
	"bytes"
	"slices"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// Versions returns the versions of a key, the newest first, one that is about
// to become primary included; ErrKeyNotFound.
func (v *View) Versions(id crypto.KeyID) (versions []*Version, err error) {
	k, err := v.Key(id)
	if err != nil {
		return nil, err
	}
	err = guarded(func() error {
		versions, err = v.readVersions(id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := checkVersions(k, versions); err != nil {
		return nil, err
	}
	slices.SortFunc(versions, func(a, b *Version) int {
		if order := b.Created.Compare(a.Created); order != 0 {
			return order
		}
		return bytes.Compare(b.ID[:], a.ID[:])
	})
	return versions, nil
}

func (v *View) readVersions(id crypto.KeyID) (versions []*Version, err error) {
	t, err := v.table(record.Versions)
	if err != nil {
		return nil, err
	}
	err = t.scan(id[:], func(key, message []byte) (bool, error) {
		if len(key) != 2*record.IDBytes {
			return false, damaged("version record %x", key)
		}
		r := new(storepb.VersionRecord)
		if err := t.decode(key, message, r); err != nil {
			return false, err
		}
		versions = append(versions, decodeVersion(id, crypto.VersionID(key[record.IDBytes:]), r))
		return true, nil
	})
	return versions, err
}

// checkVersions compares what was found with the key's record.
func checkVersions(k *Key, versions []*Version) error {
	if len(versions) != k.Versions {
		return damaged("key %s has %d versions, not %d", k.ID, len(versions), k.Versions)
	}
	for _, named := range []crypto.VersionID{k.PrimaryVersion, k.NextVersion} {
		missing := named != crypto.VersionID{} && !slices.ContainsFunc(versions, func(ver *Version) bool { return ver.ID == named })
		if missing {
			return damaged("key %s has no version %s", k.ID, named)
		}
	}
	return nil
}
