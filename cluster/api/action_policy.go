package api

import (
	"context"
	"errors"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Key policies have one name.
const (
	paramPolicyName   = "PolicyName"
	defaultPolicyName = "default"
)

func handleGetKeyPolicy(ctx context.Context, c *Call) error {
	return c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, paramKeyID, c.Action.RAM[0])
		if err != nil {
			return err
		}
		if name := c.value(paramPolicyName); name != defaultPolicyName {
			return newError(CodeForbiddenResourceNotFound, "policy", quoted(shorten(name)))
		}
		policy, err := v.Policy(k.ID)
		if err != nil {
			return err
		}
		c.Answer.Text(paramPolicy, orDefault(policy, c.defaultPolicy()))
		return nil
	})
}

// defaultPolicy is what a key without a policy of its own goes by: the account has every right.
func (c *Call) defaultPolicy() string {
	return `{"Version":"1","Statement":[{"Sid":"default","Effect":"Allow","Principal":{"RAM":["acs:ram::` + c.server.cfg.Account +
		`:*"]},"Action":["kms:*"],"Resource":["*"]}]}`
}

func handleSetKeyPolicy(ctx context.Context, c *Call) error {
	policy, err := parseKeyPolicy(c.Params.value(paramPolicy))
	if err != nil {
		var fault *Error
		if errors.As(err, &fault) {
			malformed := newError(CodeMalformedPolicyDocument)
			malformed.Message = fault.Message
			return malformed
		}
		return err
	}
	return c.changeKey(ctx, func(id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_SetKeyPolicy{SetKeyPolicy: &storepb.SetKeyPolicy{KeyId: idBytes(id), Policy: policy}}}
	})
}
