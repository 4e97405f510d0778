package store

import (
	"bytes"
	"math"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// whatRegionVersions is what a limit of versions counts: those of all keys, first
// and imported ones included.
const whatRegionVersions = "versions of the region"

// addKeyVersion adds a version to an enabled key.
//
// That of a symmetric key waits for switchPrimary: a node that has it seals
// under it at once, and only when every node has it can what was sealed be
// opened everywhere. Of two rotations that started from the same primary
// version the second is refused, unless it replaces the version that the first
// left in waiting. Earlier versions still open what they sealed.
//
// The versions of an asymmetric key stand side by side, and the first stays the
// primary one.
func (a *applier) addKeyVersion(c *storepb.AddKeyVersion) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	version, err := versionID(c.VersionId)
	if err != nil {
		return nil, err
	}
	if err := checkNewVersion(c); err != nil {
		return nil, err
	}
	old, err := a.key(id)
	if err != nil {
		return nil, err
	}
	if err := a.mayAddVersion(c, old); err != nil {
		return nil, err
	}
	if _, found, err := a.tables[record.Versions].get(record.VersionKey(id, version)); err != nil {
		return nil, err
	} else if found {
		return nil, invalid("version %s exists", version)
	}
	k := proto.CloneOf(old)
	k.Versions, k.LastRotationMs = old.Versions+1, a.stamp
	if len(c.Replaces) != 0 { // no tombstone: nothing was sealed under it
		if err := a.removeVersion(id, record.VersionKey(id, crypto.VersionID(c.Replaces))); err != nil {
			return nil, err
		}
		k.Versions--
	}
	if k.RotationIntervalMs != 0 {
		k.NextRotationMs = a.stamp + k.RotationIntervalMs
	}
	if symmetric(k.Spec) {
		k.NextVersion = c.VersionId
	}
	if err := a.putVersion(id, version, a.stamp, c.Algorithm, c.Wrapped); err != nil {
		return nil, err
	}
	if err := a.putKey(id, old, k); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k, VersionId: c.VersionId}, nil
}

func checkNewVersion(c *storepb.AddKeyVersion) error {
	switch {
	case len(c.Wrapped) == 0:
		return invalid("a version without material")
	case c.Algorithm == 0 || c.Algorithm > math.MaxUint8:
		return invalid("algorithm %d", c.Algorithm)
	case len(c.Replaces) != 0 && len(c.Replaces) != record.IDBytes:
		return invalid("version id of %d bytes", len(c.Replaces))
	}
	return checkInterval(c.MinIntervalMs)
}

// mayAddVersion refuses a version that the key may not have now.
func (a *applier) mayAddVersion(c *storepb.AddKeyVersion, k *storepb.KeyRecord) error {
	switch now := a.stateNow(k); {
	case now != storepb.KeyState_ENABLED:
		return refuseState(now)
	case orUsual(k.Origin, usualOrigin) != usualOrigin:
		return refuse(storepb.Code_UNSUPPORTED_ORIGIN)
	}
	if err := fitsSpec(k.Spec, c.Algorithm); err != nil {
		return err
	}
	replaced := uint32(len(c.Replaces) / record.IDBytes)
	switch {
	case a.stamp-lastRotation(k) < c.MinIntervalMs:
		return refuse(storepb.Code_TOO_SOON)
	case !bytes.Equal(k.NextVersion, c.Replaces), symmetric(k.Spec) && !bytes.Equal(k.PrimaryVersion, c.ExpectedPrimary):
		return refuse(storepb.Code_PRIMARY_CHANGED)
	case c.Limit != 0 && k.Versions-replaced >= c.Limit:
		return refuseLimit("versions", uint64(c.Limit))
	case c.RegionLimit != 0 && a.state.Versions-uint64(replaced) >= c.RegionLimit:
		return refuseLimit(whatRegionVersions, c.RegionLimit)
	}
	return nil
}

// switchPrimary makes the version in waiting the primary one, in any state of
// the key. Once more does nothing.
func (a *applier) switchPrimary(c *storepb.SwitchPrimary) (*storepb.Result, error) {
	if _, err := versionID(c.VersionId); err != nil {
		return nil, err
	}
	r, err := a.changeKey(c.KeyId, func(k *storepb.KeyRecord) error {
		switch {
		case bytes.Equal(k.NextVersion, c.VersionId):
			k.PrimaryVersion, k.NextVersion = c.VersionId, nil
		case !bytes.Equal(k.PrimaryVersion, c.VersionId):
			return refuse(storepb.Code_PRIMARY_CHANGED)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r.VersionId = c.VersionId
	return r, nil
}

// updateRotationPolicy turns automatic rotation on or off. A rotation that
// would have been due before now is due at once.
func (a *applier) updateRotationPolicy(c *storepb.UpdateRotationPolicy) (*storepb.Result, error) {
	if err := checkInterval(c.IntervalMs); err != nil {
		return nil, err
	}
	return a.changeKey(c.KeyId, func(k *storepb.KeyRecord) error {
		switch now := a.stateNow(k); {
		case now != storepb.KeyState_ENABLED:
			return refuseState(now)
		case orUsual(k.Origin, usualOrigin) != usualOrigin:
			return refuse(storepb.Code_UNSUPPORTED_ORIGIN)
		case !symmetric(k.Spec):
			return refuse(storepb.Code_UNSUPPORTED_SPEC)
		}
		k.RotationIntervalMs, k.NextRotationMs = c.IntervalMs, 0
		if c.IntervalMs != 0 {
			k.NextRotationMs = lastRotation(k) + c.IntervalMs
		}
		return nil
	})
}

// lastRotation returns when the newest version was added.
func lastRotation(k *storepb.KeyRecord) int64 {
	if k.LastRotationMs != 0 {
		return k.LastRotationMs
	}
	return k.CreatedMs
}
