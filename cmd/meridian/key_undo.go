package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"meridian/cluster/api/client"
)

// aliasFree refuses an alias that names a key already, before one is made for
// it; "" is none.
func (s *session) aliasFree(ctx context.Context, alias string) error {
	if alias == "" {
		return nil
	}
	k, err := s.describe(ctx, alias)
	switch {
	case s.explain:
		return err
	case err == nil:
		return &exitError{exitFailed, fmt.Errorf("%s is taken, by key %s; nothing was made. Point it at another key: meridian alias retarget", alias, k.ID)}
	case exitOf(err) == exitNotFound:
		return nil
	}
	return err
}

// undoCreate puts away a key that was to have an alias and was refused it, as
// one that somebody else took meanwhile: what was asked for is not there, so no
// half of it stays. Where it is unknown whether the alias was made, the key stays.
// cause is why there is none; the result says it, and what became of the key.
func (s *session) undoCreate(ctx context.Context, id, alias string, cause error) error {
	if exitOf(cause) == exitUnavailable || exitOf(cause) == exitInterrupted || ctx.Err() != nil {
		return failAfter(cause, "key %s was made, and whether %s names it is unknown (see: meridian key describe %s; name it: meridian alias create %s %s): ",
			id, alias, id, alias, id)
	}
	_, err := s.client.Call(ctx, "ScheduleKeyDeletion", map[string]string{"KeyId": id, "PendingWindowInDays": strconv.Itoa(minDeletionDays)}, nil)
	if err != nil {
		var refused *client.Error
		why := "no answer came"
		if errors.As(err, &refused) {
			why = refused.Code
		}
		return failAfter(cause, "key %s was made without %s and could not be put away (%s); meridian key delete %s does that. No alias: ", id, alias, why, id)
	}
	return failAfter(cause, "key %s was made, could not be called %s, and is deleted in %d days (keep it: meridian key undelete %s). No alias: ",
		id, alias, minDeletionDays, id)
}
