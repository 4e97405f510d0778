package api

import (
	"context"

	"meridian/store/storepb"
)

func handleUpdateRotationPolicy(ctx context.Context, c *Call) error {
	milliseconds := int64(0)
	if isTrue(c.Params.value("EnableAutomaticRotation")) {
		interval, _ := parseDuration(c.Params.value("RotationInterval"))
		milliseconds = interval.Milliseconds()
	}
	id, err := c.writtenKey(paramKeyID, c.Action.RAM[0])
	if err != nil {
		return err
	}
	body := &storepb.UpdateRotationPolicy{KeyId: idBytes(id), IntervalMs: milliseconds}
	_, err = c.propose(ctx, &storepb.Command{Body: &storepb.Command_UpdateRotationPolicy{UpdateRotationPolicy: body}}, subject{
		key: id,
		refusal: func(result *storepb.Result) error {
			switch result.Code {
			case storepb.Code_UNSUPPORTED_ORIGIN:
				return newError(CodeUnsupportedOrigin, id, originExternal, c.Action.Name)
			case storepb.Code_UNSUPPORTED_SPEC:
				return newError(CodeUnsupportedOperation, c.Action.Name, "key "+id.String()+" is asymmetric")
			}
			return nil
		},
	})
	return err
}
