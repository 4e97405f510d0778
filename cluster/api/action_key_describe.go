package api

import (
	"context"

	"meridian/store"
)

func handleDescribeKey(ctx context.Context, c *Call) error {
	return c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, "KeyId", c.Action.RAM[0])
		if err != nil {
			return err
		}
		c.keyMetadata(k)
		return nil
	})
}
