package store

import (
	"bytes"
	"math"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// rotateKey adds a version to an enabled key and makes it the primary one.
// Earlier versions still open what they sealed. Of two rotations that started
// from the same primary version the second is refused.
func (a *applier) rotateKey(c *storepb.RotateKey) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	if err := checkNewVersion(c); err != nil {
		return nil, err
	}
	version := crypto.VersionID(c.VersionId)
	old, err := a.key(id)
	if err != nil {
		return nil, err
	}
	switch {
	case old.State != storepb.KeyState_ENABLED:
		return nil, refuseState(old.State)
	case orUsual(old.Origin, usualOrigin) != usualOrigin:
		return nil, refuse(storepb.Code_UNSUPPORTED_ORIGIN)
	case !bytes.Equal(old.PrimaryVersion, c.ExpectedPrimary):
		return nil, refuse(storepb.Code_PRIMARY_CHANGED)
	case c.Limit != 0 && old.Versions >= c.Limit:
		return nil, refuseLimit("versions", uint64(c.Limit))
	}
	if _, found, err := a.tables[record.Versions].get(record.VersionKey(id, version)); err != nil {
		return nil, err
	} else if found {
		return nil, invalid("version %s exists", version)
	}
	k := proto.CloneOf(old)
	k.PrimaryVersion, k.Versions, k.LastRotationMs = c.VersionId, old.Versions+1, a.stamp
	if k.RotationIntervalMs != 0 {
		k.NextRotationMs = a.stamp + k.RotationIntervalMs
	}
	if err := a.putVersion(id, version, c.Algorithm, c.Wrapped); err != nil {
		return nil, err
	}
	if err := a.putKey(id, old, k); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k, VersionId: c.VersionId}, nil
}

func checkNewVersion(c *storepb.RotateKey) error {
	switch {
	case len(c.VersionId) != record.IDBytes:
		return invalid("version id of %d bytes", len(c.VersionId))
	case len(c.Wrapped) == 0:
		return invalid("a version without material")
	case c.Algorithm == 0 || c.Algorithm > math.MaxUint8:
		return invalid("algorithm %d", c.Algorithm)
	}
	return nil
}
