package store

import (
	"bytes"
	"math"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// importKeyMaterial gives a key its material, in exchange for a token. A key
// takes the same material for ever: once it was deleted or has expired it comes
// back as the same version. Where it is there already only its expiry is new.
func (a *applier) importKeyMaterial(c *storepb.ImportKeyMaterial) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	if _, err := versionID(c.VersionId); err != nil {
		return nil, err
	}
	if err := checkImport(c); err != nil {
		return nil, err
	}
	old, err := a.key(id)
	if err != nil {
		return nil, err
	}
	switch {
	case old.Origin != external:
		return nil, refuse(storepb.Code_UNSUPPORTED_ORIGIN)
	case old.State == storepb.KeyState_PENDING_DELETION:
		return nil, refuseState(old.State)
	case c.ExpiresMs != 0 && c.ExpiresMs <= a.stamp:
		return nil, refuse(storepb.Code_IN_PAST)
	}
	if err := fitsSpec(old.Spec, c.Algorithm); err != nil {
		return nil, err
	}
	usesToken := len(c.TokenHash) > 0
	if usesToken {
		if err := a.usableToken(id, [record.IDBytes]byte(c.TokenHash)); err != nil {
			return nil, err
		}
	}
	if err := sameImport(c, old); err != nil {
		return nil, err
	}
	if usesToken {
		if err := a.dropTokens([][]byte{c.TokenHash}); err != nil {
			return nil, err
		}
	}
	k, err := a.takeMaterial(id, c, old)
	if err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k, VersionId: c.VersionId}, nil
}

func checkImport(c *storepb.ImportKeyMaterial) error {
	switch {
	case len(c.TokenHash) != 0 && len(c.TokenHash) != record.IDBytes:
		return invalid("token hash of %d bytes", len(c.TokenHash))
	case c.Algorithm == 0 || c.Algorithm > math.MaxUint8:
		return invalid("algorithm %d", c.Algorithm)
	case len(c.Wrapped) == 0:
		return invalid("a version without material")
	case len(c.Fingerprint) == 0:
		return invalid("material without a fingerprint")
	case c.ExpiresMs < 0 || c.ExpiresMs > maxStampMs:
		return invalid("material that expires at %d", c.ExpiresMs)
	}
	return nil
}

// sameImport refuses what is not the material that the key had before. The
// fingerprint is bound to the version, so that of another version says nothing:
// its maker did not know that there was an import.
func sameImport(c *storepb.ImportKeyMaterial, k *storepb.KeyRecord) error {
	switch {
	case len(k.ImportVersion) == 0:
		return nil
	case !bytes.Equal(k.ImportVersion, c.VersionId):
		return refuse(storepb.Code_PRIMARY_CHANGED)
	case !bytes.Equal(k.ImportFingerprint, c.Fingerprint):
		return refuse(storepb.Code_MATERIAL_DIFFERS)
	}
	return nil
}

// takeMaterial puts the material where it is missing and returns the new
// record of the key.
func (a *applier) takeMaterial(id crypto.KeyID, c *storepb.ImportKeyMaterial, old *storepb.KeyRecord) (*storepb.KeyRecord, error) {
	k := proto.CloneOf(old)
	k.ImportTokens = withoutToken(k.ImportTokens, c.TokenHash)
	k.MaterialExpiresMs = c.ExpiresMs
	if len(k.ImportVersion) == 0 {
		k.ImportVersion, k.ImportFingerprint, k.ImportCreatedMs = c.VersionId, c.Fingerprint, a.stamp
	}
	if len(k.PrimaryVersion) == 0 {
		k.PrimaryVersion, k.Versions = c.VersionId, 1
		if err := a.putVersion(id, crypto.VersionID(c.VersionId), k.ImportCreatedMs, c.Algorithm, c.Wrapped); err != nil {
			return nil, err
		}
	}
	if a.stateNow(old) == storepb.KeyState_PENDING_IMPORT {
		a.setState(k, storepb.KeyState_ENABLED)
	}
	return k, a.putKey(id, old, k)
}
