package api

import (
	"context"

	"meridian/crypto"
	"meridian/store/storepb"
)

func handleEnableKey(ctx context.Context, c *Call) error {
	return c.changeKey(ctx, func(id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_EnableKey{EnableKey: &storepb.EnableKey{KeyId: idBytes(id)}}}
	})
}

func handleDisableKey(ctx context.Context, c *Call) error {
	return c.changeKey(ctx, func(id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_DisableKey{DisableKey: &storepb.DisableKey{KeyId: idBytes(id)}}}
	})
}

func handleScheduleKeyDeletion(ctx context.Context, c *Call) error {
	days := c.integer("PendingWindowInDays")
	return c.changeKey(ctx, func(id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_ScheduleKeyDeletion{
			ScheduleKeyDeletion: &storepb.ScheduleKeyDeletion{KeyId: idBytes(id), Days: uint32(days)},
		}}
	})
}

func handleCancelKeyDeletion(ctx context.Context, c *Call) error {
	return c.changeKey(ctx, func(id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_CancelKeyDeletion{
			CancelKeyDeletion: &storepb.CancelKeyDeletion{KeyId: idBytes(id)},
		}}
	})
}

func handleUpdateKeyDescription(ctx context.Context, c *Call) error {
	description := c.Params.value("Description")
	return c.changeKey(ctx, func(id crypto.KeyID) *storepb.Command {
		return &storepb.Command{Body: &storepb.Command_UpdateKeyDescription{
			UpdateKeyDescription: &storepb.UpdateKeyDescription{KeyId: idBytes(id), Description: description},
		}}
	})
}

// changeKey judges the permission on the key of the request and proposes the command that changes it. Its answer holds
// nothing but the request id.
func (c *Call) changeKey(ctx context.Context, command func(crypto.KeyID) *storepb.Command) error {
	id, err := c.writtenKey("KeyId", c.Action.RAM[0])
	if err != nil {
		return err
	}
	_, err = c.propose(ctx, command(id), subject{key: id})
	return err
}
