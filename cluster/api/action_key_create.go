package api

import (
	"context"
	"fmt"

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
		if err := c.addMaterial(body); err != nil {
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
		Spec:            orDefault(p.value("KeySpec"), specAES256),
		Usage:           orDefault(p.value("KeyUsage"), usageEncrypt),
		Origin:          orDefault(p.value("Origin"), originOwn),
		ProtectionLevel: orDefault(p.value("ProtectionLevel"), levelSoftware),
		Description:     p.value("Description"),
		Creator:         c.Identity.Account,
		Limit:           uint64(c.server.cfg.Limits.Keys),
	}
	switch {
	case p.value("DKMSInstanceId") != "":
		return nil, errInvalid("DKMSInstanceId", "there are no instances here; leave it out")
	case body.ProtectionLevel != levelSoftware:
		return nil, newError(CodeUnsupportedProtectionLevel, body.ProtectionLevel)
	case body.Spec != specAES256:
		return nil, errInvalid("KeySpec", body.Spec+" is not served yet; "+specAES256+" is")
	case body.Usage != usageEncrypt:
		return nil, errInvalid("KeyUsage", specAES256+" is for "+usageEncrypt+" only")
	}
	if isTrue(p.value("EnableAutomaticRotation")) {
		if body.Origin != originOwn {
			return nil, errInvalid("EnableAutomaticRotation", "keys of Origin "+originExternal+" are not rotated automatically")
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

// addMaterial makes the first version of a key: its material leaves this node wrapped only.
func (c *Call) addMaterial(body *storepb.CreateKey) (err error) {
	version := crypto.NewVersionID()
	material := crypto.NewMaterial(crypto.AlgorithmXAES256GCM)
	defer material.Wipe()
	binding := crypto.MaterialOf(c.server.cfg.RegionID, crypto.KeyID(body.KeyId), version, crypto.AlgorithmXAES256GCM)
	body.VersionId = idBytes(version)
	body.Algorithm = uint32(crypto.AlgorithmXAES256GCM)
	body.Wrapped, err = c.server.cfg.Region.Wrap(binding, material)
	return err
}

func orDefault(value, absent string) string {
	if value == "" {
		return absent
	}
	return value
}
