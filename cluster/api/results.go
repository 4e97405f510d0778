package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// commandVersion is the version of the commands made here.
const commandVersion = store.CommandVersion

// subject is what a write is about, for the message of a refusal.
type subject struct {
	key         crypto.KeyID
	alias       string // with its prefix
	keyOfResult bool   // the result names the key: the command was about several
	// refusal turns codes that only this action's commands come to into errors; nil: not one of them.
	refusal func(*storepb.Result) error
}

// propose carries a command of this request to the region and turns a refusal by the state into an *Error. The nonce goes
// with it: a write is answered once in the region, however often it is sent.
func (c *Call) propose(ctx context.Context, command *storepb.Command, about subject) (*storepb.Result, error) {
	command.Nonce = &storepb.Nonce{
		AccessKeyId:   c.Identity.AccessKeyID,
		Nonce:         c.Nonce,
		ExpiresUnixMs: c.Time.Add(NonceWindow).UnixMilli(),
	}
	return c.proposeOwn(ctx, command, about)
}

// proposeOwn carries a command of the service's own, for this request: one before or after the command that the request
// asks for, which has the nonce.
func (c *Call) proposeOwn(ctx context.Context, command *storepb.Command, about subject) (*storepb.Result, error) {
	command.Version = commandVersion
	command.Origin = c.origin()
	result, err := c.server.cfg.Region.Propose(ctx, command)
	if err != nil {
		return nil, err
	}
	if err := c.resultError(ctx, result, about); err != nil {
		return nil, err
	}
	c.Index = result.CommandIndex
	return result, nil
}

// origin says who asked for a command.
func (c *Call) origin() *storepb.Origin {
	return &storepb.Origin{RequestId: c.RequestID, Principal: c.Identity.Principal}
}

// resultError turns what applying a command came to into an error of the API; nil if it had its effect.
func (c *Call) resultError(ctx context.Context, result *storepb.Result, about subject) error {
	if about.keyOfResult && len(result.KeyId) == len(about.key) {
		about.key = crypto.KeyID(result.KeyId)
	}
	if about.refusal != nil {
		if err := about.refusal(result); err != nil {
			return err
		}
	}
	switch result.Code {
	case storepb.Code_OK:
		return nil
	case storepb.Code_KEY_NOT_FOUND:
		return c.errKeyNotFound(about.key.String())
	case storepb.Code_ALIAS_NOT_FOUND:
		return c.errAliasNotFound(about.alias)
	case storepb.Code_ALIAS_EXISTS:
		return newError(CodeAliasAlreadyExists, about.alias, c.server.cfg.RegionID)
	case storepb.Code_KEY_STATE:
		return c.stateResult(ctx, result, about)
	case storepb.Code_LIMIT:
		return newError(CodeRejectedLimitExceeded, result.Limit, result.What)
	case storepb.Code_NONCE_USED:
		return newError(CodeSignatureNonceUsed, c.Nonce)
	case storepb.Code_DELETION_PROTECTION:
		return newError(CodeRejectedDeletionProtection, about.key)
	case storepb.Code_REGION_MISSING:
		return errUnavailable("the region is still being formed", time.Second)
	}
	return fmt.Errorf("api: command of %s came to %s %s", c.Action.Name, result.Code, result.What)
}

// stateResult refuses a write because of the state of the key, as it was when the command was applied. Since when the key
// is in that state, and by whom, is looked up for the message; it is left out if the key has moved on meanwhile.
func (c *Call) stateResult(ctx context.Context, result *storepb.Result, about subject) error {
	state := store.KeyState(result.State)
	code := c.Action.States.refusal(state)
	if code == "" {
		return fmt.Errorf("api: command of %s was refused for state %s, which the table allows", c.Action.Name, state)
	}
	k := &store.Key{ID: about.key, State: state}
	err := c.read(ctx, func(v *store.View) error {
		now, err := v.Key(about.key)
		if err == nil && c.stateOf(now) == state {
			k = now
		}
		return err
	})
	if err != nil && !errors.Is(err, store.ErrKeyNotFound) {
		c.server.cfg.Logger.Warn("refused key not read", slog.String("event", "api.refused_key"),
			slog.String("request_id", c.RequestID), slog.String("error", err.Error()))
	}
	return c.errKeyState(code, k)
}

// apiError turns any error of an action into one of the API. What is not an *Error and no known error of the region is a
// fault of ours: its text goes to the log, never to the caller.
func apiError(c *Call, err error) *Error {
	var known *Error
	var full *cluster.DiskFullError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, cluster.ErrOutcomeUnknown), c.Action.Kind == KindWrite && isContextError(err):
		return errOutcomeUnknown(c.RequestID)
	case errors.Is(err, cluster.ErrUnavailable):
		return errUnavailable("it has no contact with a leader of the region", time.Second)
	case errors.Is(err, cluster.ErrBehind):
		return errUnavailable("its state has not reached the index of "+HeaderMinIndex, time.Second)
	case errors.Is(err, cluster.ErrSealed):
		return errUnavailable("it is sealed", 5*time.Second)
	case errors.As(err, &full) && full.Node != "" && full.Node != full.Leader:
		return errUnavailable("so many disks are nearly full, that of node "+full.Node+" among them, that no majority of the region has room, so no writes are taken", 5*time.Second)
	case errors.As(err, &full):
		return errUnavailable("the disk of node "+full.Leader+", which leads the region, is nearly full, so no writes are taken", 5*time.Second)
	case errors.Is(err, cluster.ErrDiskFull):
		return errUnavailable("a disk of the region is nearly full, so no writes are taken", 5*time.Second)
	case errors.Is(err, cluster.ErrThrottled):
		return errThrottled("too many writes wait", time.Second)
	case isContextError(err):
		return errUnavailable("the request took too long", time.Second)
	case errors.Is(err, cluster.ErrStopped), errors.Is(err, store.ErrClosed):
		return errUnavailable("it is shutting down", time.Second)
	}
	return errInternal(c.RequestID)
}

// errOutcomeUnknown is the answer to a write that may or may not have been done. It is never reported as failed.
func errOutcomeUnknown(requestID string) *Error {
	e := errInternal(requestID)
	e.Message = "Whether this write was done is unknown; look before you repeat it. Request " + requestID + "."
	e.Recommend = "Ask for the state (DescribeKey, ListAliases) before you repeat the call."
	return e
}

func isContextError(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// idBytes is a key or version id as commands hold it.
func idBytes[ID ~[16]byte](id ID) []byte { return id[:] }
