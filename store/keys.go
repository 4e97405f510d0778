package store

import (
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// maxDays bounds the window of ScheduleKeyDeletion far above what the API
// allows, so that no sum of times can overflow.
const maxDays = 3660

// createKey makes a key with its first version, tags and policy. A key that
// brings no material waits for it.
func (a *applier) createKey(c *storepb.CreateKey) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	if err := checkNewKey(c); err != nil {
		return nil, err
	}
	if taken, err := a.keyIDTaken(id); err != nil {
		return nil, err
	} else if taken {
		return nil, refuse(storepb.Code_KEY_EXISTS)
	}
	switch {
	case c.Limit != 0 && a.state.Keys >= c.Limit:
		return nil, refuseLimit("keys", c.Limit)
	case len(c.Wrapped) > 0 && c.VersionLimit != 0 && a.state.Versions >= c.VersionLimit:
		return nil, refuseLimit(whatRegionVersions, c.VersionLimit)
	}
	k := &storepb.KeyRecord{
		State:              storepb.KeyState_PENDING_IMPORT,
		Spec:               elided(c.Spec, usualSpec),
		Usage:              elided(c.Usage, usualUsage),
		Origin:             elided(c.Origin, usualOrigin),
		ProtectionLevel:    elided(c.ProtectionLevel, usualProtectionLevel),
		Description:        c.Description,
		Creator:            c.Creator,
		CreatedMs:          a.stamp,
		RotationIntervalMs: c.RotationIntervalMs,
		Tags:               uint32(len(c.Tags)),
		Policy:             c.Policy != "",
	}
	if k.RotationIntervalMs != 0 {
		k.NextRotationMs = a.stamp + k.RotationIntervalMs
	}
	if len(c.Wrapped) > 0 {
		k.State, k.PrimaryVersion, k.Versions = storepb.KeyState_ENABLED, c.VersionId, 1
		if err := a.putVersion(id, crypto.VersionID(c.VersionId), a.stamp, c.Algorithm, c.Wrapped); err != nil {
			return nil, err
		}
	}
	for _, tag := range c.Tags {
		if err := a.put(record.Tags, record.Under(id, tag.Key), &storepb.TagRecord{Value: tag.Value}); err != nil {
			return nil, err
		}
	}
	if k.Policy {
		if err := a.put(record.Policies, id[:], &storepb.PolicyRecord{Policy: c.Policy}); err != nil {
			return nil, err
		}
	}
	if err := a.put(record.Created, record.CreatedKey(k.CreatedMs, id), nil); err != nil {
		return nil, err
	}
	a.state.Keys++
	if err := a.putKey(id, nil, k); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k, VersionId: c.VersionId}, nil
}

// checkNewKey refuses a command whose parts do not fit together.
func checkNewKey(c *storepb.CreateKey) error {
	hasMaterial := len(c.Wrapped) > 0
	if hasMaterial {
		if _, err := versionID(c.VersionId); err != nil {
			return err
		}
	}
	switch {
	case hasMaterial && (c.Algorithm == 0 || c.Algorithm > math.MaxUint8):
		return invalid("algorithm %d", c.Algorithm)
	case !hasMaterial && (len(c.VersionId) != 0 || c.Algorithm != 0):
		return invalid("a version without material")
	}
	if err := checkInterval(c.RotationIntervalMs); err != nil {
		return err
	}
	if err := checkSpec(c); err != nil {
		return err
	}
	return checkTags(c.Tags)
}

// checkSpec refuses a key that its spec does not allow. Material is imported
// for symmetric keys only, and only what the service made itself is rotated.
func checkSpec(c *storepb.CreateKey) error {
	imported := c.Origin == external
	switch {
	case specAlgorithm(c.Spec) == 0:
		return invalid("spec %q", c.Spec)
	case imported == (len(c.Wrapped) > 0):
		return invalid("origin %q, material of %d bytes", c.Origin, len(c.Wrapped))
	case c.RotationIntervalMs != 0 && (imported || !symmetric(c.Spec)):
		return invalid("rotation of a key of spec %q and origin %q", c.Spec, c.Origin)
	case imported && !symmetric(c.Spec):
		return invalid("origin %q of a key of spec %q", c.Origin, c.Spec)
	case imported:
		return nil
	}
	return fitsSpec(c.Spec, c.Algorithm)
}

// checkInterval refuses times that a sum with a stamp could overflow.
func checkInterval(ms int64) error {
	if ms < 0 || ms > maxDays*24*time.Hour.Milliseconds() {
		return invalid("rotation interval of %d ms", ms)
	}
	return nil
}

// keyIDTaken says that there is a key of this id, or was one.
func (a *applier) keyIDTaken(id crypto.KeyID) (bool, error) {
	if _, found, err := a.tables[record.Keys].get(id[:]); found || err != nil {
		return found, err
	}
	taken := false
	err := a.tables[record.Tombstones].scan(id[:], func(_, _ []byte) (bool, error) {
		taken = true
		return false, nil
	})
	return taken, err
}

// enableKey makes a disabled key usable. An enabled one stays as it is.
func (a *applier) enableKey(c *storepb.EnableKey) (*storepb.Result, error) {
	return a.switchKey(c.KeyId, storepb.KeyState_ENABLED)
}

// disableKey makes an enabled key unusable. A disabled one stays as it is.
func (a *applier) disableKey(c *storepb.DisableKey) (*storepb.Result, error) {
	return a.switchKey(c.KeyId, storepb.KeyState_DISABLED)
}

func (a *applier) switchKey(rawID []byte, to storepb.KeyState) (*storepb.Result, error) {
	return a.changeKey(rawID, func(k *storepb.KeyRecord) error {
		if now := a.stateNow(k); now != storepb.KeyState_ENABLED && now != storepb.KeyState_DISABLED {
			return refuseState(now)
		}
		a.setState(k, to)
		return nil
	})
}

// scheduleKeyDeletion sets a key to PendingDeletion.
func (a *applier) scheduleKeyDeletion(c *storepb.ScheduleKeyDeletion) (*storepb.Result, error) {
	if c.Days == 0 || c.Days > maxDays {
		return nil, invalid("window of %d days", c.Days)
	}
	return a.changeKey(c.KeyId, func(k *storepb.KeyRecord) error {
		if k.State == storepb.KeyState_PENDING_DELETION {
			return refuseState(k.State)
		}
		if k.DeletionProtection {
			return refuse(storepb.Code_DELETION_PROTECTION)
		}
		a.setState(k, storepb.KeyState_PENDING_DELETION)
		k.DeleteAtMs = a.stamp + int64(c.Days)*24*time.Hour.Milliseconds()
		return nil
	})
}

// cancelKeyDeletion takes a key out of PendingDeletion. Afterwards it is
// enabled, or waits for material if it has none.
func (a *applier) cancelKeyDeletion(c *storepb.CancelKeyDeletion) (*storepb.Result, error) {
	return a.changeKey(c.KeyId, func(k *storepb.KeyRecord) error {
		if k.State != storepb.KeyState_PENDING_DELETION {
			return refuseState(k.State)
		}
		k.DeleteAtMs = 0
		if len(k.PrimaryVersion) == 0 {
			a.setState(k, storepb.KeyState_PENDING_IMPORT)
		} else {
			a.setState(k, storepb.KeyState_ENABLED)
		}
		return nil
	})
}

// updateKeyDescription replaces a key's description.
func (a *applier) updateKeyDescription(c *storepb.UpdateKeyDescription) (*storepb.Result, error) {
	return a.changeKey(c.KeyId, func(k *storepb.KeyRecord) error {
		if k.State == storepb.KeyState_PENDING_DELETION {
			return refuseState(k.State)
		}
		k.Description = c.Description
		return nil
	})
}

// changeKey changes one key record. The result carries the new one.
func (a *applier) changeKey(rawID []byte, change func(*storepb.KeyRecord) error) (*storepb.Result, error) {
	id, err := keyID(rawID)
	if err != nil {
		return nil, err
	}
	old, err := a.key(id)
	if err != nil {
		return nil, err
	}
	k := proto.CloneOf(old)
	if err := change(k); err != nil {
		return nil, err
	}
	if !proto.Equal(old, k) {
		if err := a.putKey(id, old, k); err != nil {
			return nil, err
		}
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: rawID, Key: k}, nil
}

// setState notes who changed a key's state, and when.
func (a *applier) setState(k *storepb.KeyRecord, to storepb.KeyState) {
	if k.State == to {
		return
	}
	k.State, k.StateChangedMs, k.StateChangedBy = to, a.stamp, a.principal
}
