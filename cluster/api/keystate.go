package api

import "meridian/store"

// checkState judges the state of a key against the rule of the action.
func (c *Call) checkState(k *store.Key) error {
	if code := c.Action.States.refusal(c.stateOf(k)); code != "" {
		return c.errKeyState(code, k)
	}
	return nil
}

// stateOf is the state of a key by this node's clock.
func (c *Call) stateOf(k *store.Key) store.KeyState { return k.StateAt(c.server.cfg.Now()) }

// errKeyState refuses a key because of its state, and says since when it is in it and by whom.
func (c *Call) errKeyState(code string, k *store.Key) *Error {
	since, state := "", c.stateOf(k)
	switch {
	case state != k.State:
		since = " since " + k.MaterialExpires.UTC().Format(timeLayout)
	case k.StateChangedBy != "":
		since = " since " + k.StateChanged.UTC().Format(timeLayout) + " by " + k.StateChangedBy
	}
	id := k.ID.String()
	var err *Error
	switch code {
	case CodeRejectedStateModifiedFailed:
		return newError(code, id, state.String()+since, c.Action.Name)
	case CodeRejectedPendingDeletion:
		err = newError(code, id)
		if since != "" {
			err.Message = "Key " + id + " is waiting" + since + " to be deleted at " + k.DeleteAt.UTC().Format(timeLayout) + "."
		}
	case CodeRejectedDisabled:
		err = newError(code, id)
		err.Message = "Key " + id + " is Disabled" + since + "."
		err.Recommend = "EnableKey makes it usable again: meridian key enable " + id
	default:
		err = newError(code, id)
	}
	return err
}
