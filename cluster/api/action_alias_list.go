package api

import (
	"context"
	"errors"

	"meridian/store"
)

func handleListAliases(ctx context.Context, c *Call) error {
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	p := c.page()
	return c.read(ctx, func(v *store.View) error {
		aliases, total, err := v.Aliases(p.offset(), int(p.size))
		if err != nil {
			return err
		}
		c.answerAliases(aliases, p, total)
		return nil
	})
}

func handleListAliasesByKeyId(ctx context.Context, c *Call) error {
	p := c.page()
	return c.read(ctx, func(v *store.View) error {
		k, err := c.findKey(v, "KeyId", c.Action.RAM[0])
		if err != nil {
			return err
		}
		aliases, total, err := v.AliasesOf(k.ID, p.offset(), int(p.size))
		if errors.Is(err, store.ErrKeyNotFound) {
			return c.errKeyNotFound(k.ID.String())
		}
		if err != nil {
			return err
		}
		c.answerAliases(aliases, p, total)
		return nil
	})
}

func (c *Call) answerAliases(aliases []store.Alias, p page, total int) {
	c.Answer.List("Aliases", "Alias")
	for _, alias := range aliases {
		c.Answer.Item()
		c.Answer.Text("AliasName", alias.Name)
		c.Answer.Text("AliasArn", c.arn("", alias.Name))
		c.Answer.Text("KeyId", alias.KeyID.String())
		c.Answer.EndItem()
	}
	c.Answer.EndList()
	c.answerPage(p, total)
}
