package store

import (
	"fmt"
	"time"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// KeyState is the state of a key. The zero value is no state.
type KeyState uint8

// The states of the API (KeyMetadata.KeyState).
const (
	Enabled         = KeyState(storepb.KeyState_ENABLED)
	Disabled        = KeyState(storepb.KeyState_DISABLED)
	PendingDeletion = KeyState(storepb.KeyState_PENDING_DELETION)
	PendingImport   = KeyState(storepb.KeyState_PENDING_IMPORT)
)

// String returns the word of the API.
func (s KeyState) String() string {
	switch s {
	case Enabled:
		return "Enabled"
	case Disabled:
		return "Disabled"
	case PendingDeletion:
		return "PendingDeletion"
	case PendingImport:
		return "PendingImport"
	}
	return fmt.Sprintf("KeyState(%d)", uint8(s))
}

// The values that a key record leaves out because nearly every key has them.
const (
	usualSpec            = "Aliyun_AES_256"
	usualUsage           = "ENCRYPT/DECRYPT"
	usualOrigin          = "Aliyun_KMS"
	usualProtectionLevel = "SOFTWARE"
)

// Key is a decoded key record. It is shared between readers: never modify it.
// Times are in UTC with milliseconds.
type Key struct {
	ID              crypto.KeyID
	State           KeyState
	Spec            string // KeySpec of the API
	Usage           string // KeyUsage
	Origin          string
	ProtectionLevel string
	Description     string
	Creator         string // account id

	Created        time.Time
	DeleteAt       time.Time        // zero unless PendingDeletion
	PrimaryVersion crypto.VersionID // zero: none
	NextVersion    crypto.VersionID // added, and about to become the primary one; zero: none
	Versions       int              // with the next one

	LastRotation     time.Time     // Created, until it is rotated
	RotationInterval time.Duration // 0: no automatic rotation
	NextRotation     time.Time     // zero unless RotationInterval is set

	DeletionProtection            bool
	DeletionProtectionDescription string

	StateChanged   time.Time // Created, until the state changes
	StateChangedBy string    // principal; empty until the state changes

	MaterialExpires   time.Time        // of imported material; zero: never, or there is none
	ImportVersion     crypto.VersionID // what was imported, also while it is deleted; zero: nothing yet
	ImportFingerprint []byte           // of that material, see crypto.Keyring.Fingerprint
	ImportTokens      int              // that it has, expired or not

	tags   int
	policy bool
}

// Version is a decoded key version. It is shared between readers: never
// modify it. Wrapped is the material sealed under the region's KEK.
type Version struct {
	KeyID     crypto.KeyID
	ID        crypto.VersionID
	Created   time.Time
	Wrapped   []byte
	Algorithm crypto.Algorithm
}

// Alias is a name of a key, with its prefix "alias/".
type Alias struct {
	Name  string
	KeyID crypto.KeyID
}

// Tag is a tag of a key.
type Tag struct {
	Key, Value string
}

// ImportToken is a decoded import token.
type ImportToken struct {
	KeyID   crypto.KeyID
	Wrapped []byte // the private key sealed under the region's KEK
	Scheme  string // how the material comes encrypted, in the API's words
	Expires time.Time
}

// KeyOf returns the key that a result carries, as it was after the command.
// It reports false when there is none.
func KeyOf(r *storepb.Result) (*Key, bool) {
	if r.GetKey() == nil || len(r.KeyId) != len(crypto.KeyID{}) {
		return nil, false
	}
	k, err := keyOf(crypto.KeyID(r.KeyId), r.Key)
	return k, err == nil
}

// keyOf fills in what the record leaves out.
func keyOf(id crypto.KeyID, r *storepb.KeyRecord) (*Key, error) {
	k := &Key{
		ID:                            id,
		State:                         KeyState(r.State),
		Spec:                          orUsual(r.Spec, usualSpec),
		Usage:                         orUsual(r.Usage, usualUsage),
		Origin:                        orUsual(r.Origin, usualOrigin),
		ProtectionLevel:               orUsual(r.ProtectionLevel, usualProtectionLevel),
		Description:                   r.Description,
		Creator:                       r.Creator,
		Created:                       timeOf(r.CreatedMs),
		DeleteAt:                      timeOf(r.DeleteAtMs),
		Versions:                      int(r.Versions),
		RotationInterval:              time.Duration(r.RotationIntervalMs) * time.Millisecond,
		NextRotation:                  timeOf(r.NextRotationMs),
		DeletionProtection:            r.DeletionProtection,
		DeletionProtectionDescription: r.DeletionProtectionDescription,
		StateChangedBy:                r.StateChangedBy,
		MaterialExpires:               timeOf(r.MaterialExpiresMs),
		ImportFingerprint:             r.ImportFingerprint,
		ImportTokens:                  len(r.ImportTokens),
		tags:                          int(r.Tags),
		policy:                        r.Policy,
	}
	k.LastRotation, k.StateChanged = k.Created, k.Created
	if r.LastRotationMs != 0 {
		k.LastRotation = timeOf(r.LastRotationMs)
	}
	if r.StateChangedMs != 0 {
		k.StateChanged = timeOf(r.StateChangedMs)
	}
	for _, version := range []struct {
		what string
		raw  []byte
		id   *crypto.VersionID
	}{
		{"primary", r.PrimaryVersion, &k.PrimaryVersion},
		{"next", r.NextVersion, &k.NextVersion},
		{"imported", r.ImportVersion, &k.ImportVersion},
	} {
		switch len(version.raw) {
		case 0:
		case record.IDBytes:
			*version.id = crypto.VersionID(version.raw)
		default:
			return nil, damaged("key %s: %s version of %d bytes", id, version.what, len(version.raw))
		}
	}
	if k.State < Enabled || k.State > PendingImport {
		return nil, damaged("key %s: state %d", id, r.State)
	}
	return k, nil
}

func orUsual(value, usual string) string {
	if value == "" {
		return usual
	}
	return value
}

// elided is the opposite of orUsual.
func elided(value, usual string) string {
	if value == usual {
		return ""
	}
	return value
}

// timeOf returns a record's time; 0 is no time.
func timeOf(unixMs int64) time.Time {
	if unixMs == 0 {
		return time.Time{}
	}
	return time.UnixMilli(unixMs).UTC()
}
