package api

import (
	"context"
	"fmt"
	"slices"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

func handleCreateKey(ctx context.Context, c *Call) error {
	body, err := c.newKey()
	if err != nil {
		return err
	}
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	if body.Origin == originOwn {
		if err := c.roomForPair(ctx, body); err != nil {
			return err
		}
		if err := c.addMaterial(ctx, body); err != nil {
			return err
		}
	}
	command := &storepb.Command{Body: &storepb.Command_CreateKey{CreateKey: body}}
	result, err := c.propose(ctx, command, subject{key: crypto.KeyID(body.KeyId)})
	if err != nil {
		return err
	}
	k, ok := store.KeyOf(result)
	if !ok {
		return fmt.Errorf("api: the result of CreateKey holds no key")
	}
	c.keyMetadata(k)
	return nil
}

// newKey reads what kind of key is asked for, and refuses what does not fit together.
func (c *Call) newKey() (*storepb.CreateKey, error) {
	p := c.Params
	body := &storepb.CreateKey{
		KeyId:           idBytes(crypto.NewKeyID()),
		Spec:            c.value("KeySpec"),
		Usage:           p.value("KeyUsage"),
		Origin:          c.value("Origin"),
		ProtectionLevel: c.value("ProtectionLevel"),
		Description:     p.value("Description"),
		Creator:         c.Identity.Account,
		Limit:           uint64(c.server.cfg.Limits.Keys),
		VersionLimit:    uint64(c.server.cfg.Limits.KeyVersions),
	}
	if err := checkNewKey(body); err != nil {
		return nil, err
	}
	if isTrue(p.value("EnableAutomaticRotation")) {
		switch {
		case body.Origin != originOwn:
			return nil, errInvalid("EnableAutomaticRotation", "keys of Origin "+originExternal+" are not rotated automatically")
		case !algorithmOf(body.Spec).Symmetric():
			return nil, errInvalid("EnableAutomaticRotation", "keys of spec "+body.Spec+" are not rotated automatically")
		}
		interval, _ := parseDuration(p.value("RotationInterval"))
		body.RotationIntervalMs = interval.Milliseconds()
	}
	var err error
	if body.Tags, err = parseTags(p.value("Tags")); err != nil {
		return nil, err
	}
	if body.Policy, err = parseKeyPolicy(p.value("Policy")); err != nil {
		return nil, err
	}
	return body, nil
}

// checkNewKey refuses what does not fit together, and fills in what keys of the spec are for.
func checkNewKey(body *storepb.CreateKey) error {
	algorithm := algorithmOf(body.Spec)
	possible := usages(algorithm)
	body.Usage = orDefault(body.Usage, possible[0])
	switch {
	case body.ProtectionLevel != levelSoftware:
		return newError(CodeUnsupportedProtectionLevel, body.ProtectionLevel)
	case algorithm.Available() != nil:
		return errInvalid("KeySpec", body.Spec+" is not served in FIPS-only mode")
	case !slices.Contains(possible, body.Usage):
		return errInvalid("KeyUsage", body.Spec+" is for "+orList(possible)+" only")
	case body.Origin != originOwn && !algorithm.Symmetric():
		return errInvalid("Origin", "keys of spec "+body.Spec+" cannot be imported")
	}
	return nil
}

// roomForPair refuses early, before a pair is made, what the region would refuse in the end for its limits, as far as this
// node can tell.
func (c *Call) roomForPair(ctx context.Context, body *storepb.CreateKey) error {
	if algorithmOf(body.Spec).Symmetric() {
		return nil
	}
	return c.read(ctx, func(v *store.View) error {
		if total := v.Totals(); total.Keys >= body.Limit {
			return newError(CodeRejectedLimitExceeded, body.Limit, "keys")
		}
		return c.roomForVersion(v)
	})
}

// addMaterial makes the first version of a key.
func (c *Call) addMaterial(ctx context.Context, body *storepb.CreateKey) (err error) {
	version, algorithm := crypto.NewVersionID(), algorithmOf(body.Spec)
	body.VersionId, body.Algorithm = idBytes(version), uint32(algorithm)
	body.Wrapped, err = c.newMaterial(ctx, crypto.MaterialOf(c.server.cfg.RegionID, crypto.KeyID(body.KeyId), version, algorithm))
	return err
}

func orDefault(value, absent string) string {
	if value == "" {
		return absent
	}
	return value
}
