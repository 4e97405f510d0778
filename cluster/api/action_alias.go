package api

import (
	"context"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

func handleCreateAlias(ctx context.Context, c *Call) error {
	return c.pointAlias(ctx, func(name string, id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_CreateAlias{CreateAlias: &storepb.CreateAlias{
			Name: name, KeyId: idBytes(id), Limit: uint64(c.server.cfg.Limits.Aliases),
		}}}
	})
}

func handleUpdateAlias(ctx context.Context, c *Call) error {
	return c.pointAlias(ctx, func(name string, id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_UpdateAlias{UpdateAlias: &storepb.UpdateAlias{Name: name, KeyId: idBytes(id)}}}
	})
}

// pointAlias judges the permission on the key and on the alias of the request, and proposes the command.
func (c *Call) pointAlias(ctx context.Context, command func(string, crypto.KeyID) *storepb.Command) error {
	onKey, onAlias := c.Action.RAM[0], c.Action.RAM[1]
	alias := c.Params.value("AliasName")
	id, err := c.writtenKey("KeyId", onKey)
	if err != nil {
		return err
	}
	if err := c.authorizeAlias(onAlias.Action, alias); err != nil {
		return err
	}
	_, err = c.propose(ctx, command(alias, id), subject{key: id, alias: alias})
	return err
}

// handleDeleteAlias takes a name away from its key. Permission is needed on the key behind it as well, so that is looked
// up first.
func handleDeleteAlias(ctx context.Context, c *Call) error {
	onKey, onAlias := c.Action.RAM[0], c.Action.RAM[1]
	alias := c.Params.value("AliasName")
	if err := c.authorizeAlias(onAlias.Action, alias); err != nil {
		return err
	}
	err := c.read(ctx, func(v *store.View) error {
		id, err := c.aliasTarget(v, alias, onAlias.Action)
		if err != nil {
			return err
		}
		return c.authorizeKey(onKey.Action, id)
	})
	if err != nil {
		return err
	}
	_, err = c.propose(ctx, &storepb.Command{
		Body: &storepb.Command_DeleteAlias{DeleteAlias: &storepb.DeleteAlias{Name: alias}},
	}, subject{alias: alias})
	return err
}
