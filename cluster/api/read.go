package api

import (
	"context"

	"meridian/store"
)

// read answers from one view of the state. The view may turn out to be too old once the work is done; then f runs again
// on a newer one, with an empty answer.
func (c *Call) read(ctx context.Context, f func(v *store.View) error) error {
	return c.server.cfg.Region.ReadWith(ctx, c.Wanted, func(v *store.View) error {
		c.Answer.Reset()
		c.Index = v.Index()
		return f(v)
	})
}
