package api

import (
	"context"

	"meridian/store"
)

func handleListKeys(ctx context.Context, c *Call) error {
	filters, err := parseFilters(c.Params.value("Filters"))
	if err != nil {
		return err
	}
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	p := c.page()
	return c.read(ctx, func(v *store.View) error {
		keys, total, err := v.Keys(p.offset(), int(p.size), filters.match(c.server.cfg.Now()))
		if err != nil {
			return err
		}
		c.Answer.List("Keys", "Key")
		for _, k := range keys {
			c.Answer.Item()
			c.Answer.Text("KeyId", k.ID.String())
			c.Answer.Text("KeyArn", c.keyARN(k.ID))
			c.Answer.EndItem()
		}
		c.Answer.EndList()
		c.answerPage(p, total)
		return nil
	})
}
