package store

import (
	"fmt"

	"meridian/crypto"
	"meridian/store/storepb"
)

// refusal is the result of a command that does not apply, on its way out of
// the command's function. It is no error of storage.
type refusal struct{ result *storepb.Result }

func (r refusal) Error() string { return "store: refused: " + r.result.Code.String() }

func (r refusal) at(index uint64) *storepb.Result {
	r.result.CommandIndex = index
	return r.result
}

// of names the key that refused, where a command is about several.
func (r refusal) of(id crypto.KeyID) refusal {
	r.result.KeyId = id[:]
	return r
}

func refuse(code storepb.Code) refusal {
	return refusal{&storepb.Result{Code: code}}
}

// refuseState says that a key's state does not allow the command.
func refuseState(state storepb.KeyState) refusal {
	return refusal{&storepb.Result{Code: storepb.Code_KEY_STATE, State: state}}
}

// refuseLimit says that there are as many of what as the limit allows.
func refuseLimit(what string, limit uint64) refusal {
	return refusal{&storepb.Result{Code: storepb.Code_LIMIT, What: what, Limit: limit}}
}

// invalid says that a command contradicts itself: a fault of the node that
// made it, not of the caller.
func invalid(format string, args ...any) refusal {
	return refusal{&storepb.Result{Code: storepb.Code_INVALID, What: fmt.Sprintf(format, args...)}}
}
