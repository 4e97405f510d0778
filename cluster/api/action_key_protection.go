package api

import (
	"context"
	"strings"

	"meridian/crypto"
	"meridian/store/storepb"
)

// Parameters that name the key to protect.
const (
	paramKeyID        = "KeyId"
	paramProtectedARN = "ProtectedResourceArn"
)

func handleSetDeletionProtection(ctx context.Context, c *Call) error {
	param, err := c.protectedKey()
	if err != nil {
		return err
	}
	id, err := c.writtenKey(param, c.Action.RAM[0])
	if err != nil {
		return err
	}
	body := &storepb.SetDeletionProtection{
		KeyId:       idBytes(id),
		Enabled:     isTrue(c.Params.value("EnableDeletionProtection")),
		Description: c.Params.value("DeletionProtectionDescription"),
	}
	_, err = c.propose(ctx, &storepb.Command{Body: &storepb.Command_SetDeletionProtection{SetDeletionProtection: body}}, subject{key: id})
	return err
}

// protectedKey returns the parameter that names the key: the ARN where there is one, which must not contradict the id.
func (c *Call) protectedKey() (param string, err error) {
	arn, id := c.Params.value(paramProtectedARN), c.Params.value(paramKeyID)
	switch {
	case arn == "" && id == "":
		return "", errMissing(paramProtectedARN + " or " + paramKeyID)
	case arn == "":
		return paramKeyID, nil
	case !strings.HasPrefix(arn, arnPrefix):
		return "", errInvalid(paramProtectedARN, "it must be a key ARN, "+c.keyARN(crypto.KeyID{}))
	case id == "":
		return paramProtectedARN, nil
	}
	if a, b := c.keyName(paramProtectedARN), c.keyName(paramKeyID); a.kind != b.kind || a.id != b.id {
		return "", errInvalid(paramKeyID, "it names another key than "+paramProtectedARN)
	}
	return paramProtectedARN, nil
}
