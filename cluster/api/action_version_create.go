package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// maxVersions bounds the versions of one key (API page CreateKeyVersion).
const maxVersions = 50

// handleCreateKeyVersion adds a version. Under one of a symmetric key nothing is sealed before every node that may
// answer can open it: it is added first, which is acknowledged once they all have it, and becomes the primary one then.
func handleCreateKeyVersion(ctx context.Context, c *Call) error {
	k, err := c.versionedKey(ctx)
	if err != nil {
		return err
	}
	version := crypto.NewVersionID()
	binding := crypto.MaterialOf(c.server.cfg.RegionID, k.ID, version, algorithmOf(k.Spec))
	wrapped, err := c.newMaterial(ctx, binding)
	if err != nil {
		return err
	}
	command := cluster.AddVersion(&k, cluster.NewVersion{
		Place: binding, Wrapped: wrapped, KeyLimit: maxVersions, RegionLimit: c.server.cfg.Limits.KeyVersions,
		Interval: max(c.server.cfg.Limits.VersionInterval, 0),
	})
	result, err := c.propose(ctx, command, subject{key: k.ID, refusal: c.versionRefusal(k.ID)})
	if err != nil {
		return err
	}
	added, ok := store.KeyOf(result)
	if !ok {
		return errors.New("api: the result of AddKeyVersion holds no key")
	}
	if binding.Algorithm.Symmetric() {
		if err := c.switchPrimary(ctx, k.ID, version); err != nil {
			// The version is there, and will be primary: whoever is told that nothing was done would make another.
			return fmt.Errorf("%w: switch to version %s of key %s: %v", cluster.ErrOutcomeUnknown, version, k.ID, err)
		}
	}
	c.Answer.Object("KeyVersion")
	c.answerVersion(k.ID, version, added.LastRotation)
	c.Answer.End()
	return nil
}

// mayAddVersion refuses early what the region would refuse in the end, as far as this node can tell: a pair costs a
// hundred thousand times what a refusal does.
func (c *Call) mayAddVersion(k *store.Key) error {
	const clocksApart = 10 * time.Second // a refusal must not hang on whose clock is judged by
	interval := c.server.cfg.Limits.VersionInterval
	switch {
	case c.server.cfg.Now().Sub(k.LastRotation) < interval-clocksApart:
		return c.errTooYoung(k.ID)
	case k.Versions >= maxVersions:
		return newError(CodeRejectedLimitExceeded, decimal(maxVersions), "versions")
	}
	return nil
}

// roomForVersion refuses early what the region's limit of versions would refuse.
func (c *Call) roomForVersion(v *store.View) error {
	limit := uint64(c.server.cfg.Limits.KeyVersions)
	if v.Totals().Versions < limit {
		return nil
	}
	return newError(CodeRejectedLimitExceeded, limit, "versions of the region")
}

func (c *Call) errTooYoung(id crypto.KeyID) error {
	interval := c.server.cfg.Limits.VersionInterval
	return newError(CodeRejectedUnsupportedOperation, c.Action.Name, "the newest version of key "+id.String()+" is younger than "+interval.String())
}

// versionRefusal turns what AddKeyVersion alone comes to into errors.
func (c *Call) versionRefusal(id crypto.KeyID) func(*storepb.Result) error {
	return func(result *storepb.Result) error {
		switch result.Code {
		case storepb.Code_TOO_SOON:
			return c.errTooYoung(id)
		case storepb.Code_PRIMARY_CHANGED:
			// Whether all nodes have the other version is known to who added it, and in the end to the leader.
			return errThrottled("another version of key "+id.String()+" is being made", time.Second)
		}
		return nil
	}
}

// versionedKey finds the key of the request, allowed and fit for a new version, for which there is room.
func (c *Call) versionedKey(ctx context.Context) (found store.Key, err error) {
	err = c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, paramKeyID, c.Action.RAM[0])
		if err != nil {
			return err
		}
		if err := c.checkState(k); err != nil {
			return err
		}
		if k.Origin != originOwn {
			return c.errOrigin(k)
		}
		found = *k
		if err := c.mayAddVersion(k); err != nil {
			return err
		}
		return c.roomForVersion(v)
	})
	return found, err
}

// switchPrimary looks once more whether a version works, as it is stored, and makes it the primary one. Its AddKeyVersion
// was acknowledged to this request: every node that may answer has it. Should this node end before the switch is done,
// the leader does it.
func (c *Call) switchPrimary(ctx context.Context, id crypto.KeyID, version crypto.VersionID) error {
	var wrapped []byte
	var binding crypto.Binding
	err := c.read(ctx, func(v *store.View) error {
		record, err := v.Version(id, version)
		if err != nil {
			return err
		}
		wrapped, binding = record.Wrapped, crypto.MaterialOf(c.server.cfg.RegionID, id, version, record.Algorithm)
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.selfCheck(ctx, binding, wrapped); err != nil {
		return err
	}
	_, err = c.proposeOwn(ctx, cluster.SwitchPrimary(binding), subject{key: id, refusal: func(result *storepb.Result) error {
		if result.Code == storepb.Code_PRIMARY_CHANGED {
			return errSwitched
		}
		return nil
	}})
	if err != errSwitched {
		return err
	}
	return c.read(ctx, func(v *store.View) error { // unless the leader found that it does not work, and replaced it
		_, err := v.Version(id, version)
		return err
	})
}

// errSwitched says that the leader was faster, and a later version is primary by now.
var errSwitched = errors.New("api: another version is primary")

func (c *Call) answerVersion(id crypto.KeyID, version crypto.VersionID, created time.Time) {
	c.Answer.Text("KeyId", id.String())
	c.Answer.Text("KeyVersionId", version.String())
	c.Answer.Time("CreationDate", created)
}
