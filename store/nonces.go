package store

import (
	"bytes"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// minNonceMs and maxNonceMs bound how long a nonce is kept beyond the
// command's stamp. The API's own bound is half an hour: a timestamp may lie 15
// minutes ahead and a nonce outlives it by 15.
//
// The least is not up to the request: its expiry is of the clock of the client
// and of the node that took it, and stamps are of the leader's and never go
// back. A leader that is ahead, or once was, would take every nonce for expired.
const (
	minNonceMs = 31 * 60 * 1000
	maxNonceMs = 24 * 60 * 60 * 1000
)

// useNonce notes the nonce of a write. It returns false when another command
// has used it and it has not expired. A nonce without access key is none: the
// node's own commands carry none.
func (a *applier) useNonce(commandID [record.IDBytes]byte, n *storepb.Nonce) (fresh bool, err error) {
	if n.GetAccessKeyId() == "" {
		return true, nil
	}
	hash := record.NonceKey(n.AccessKeyId, n.Nonce)
	old := new(storepb.NonceRecord)
	found, err := a.tables[record.Nonces].load(hash[:], old)
	if err != nil {
		return false, err
	}
	if found {
		if old.ExpiresMs > a.stamp {
			return bytes.Equal(old.CommandId, commandID[:]), nil
		}
		if err := a.forgetNonce(old.ExpiresMs, hash); err != nil {
			return false, err
		}
	}
	expires := min(max(n.ExpiresUnixMs, a.stamp+minNonceMs), a.stamp+maxNonceMs)
	a.state.Nonces++
	if err := a.put(record.Nonces, hash[:], &storepb.NonceRecord{CommandId: commandID[:], ExpiresMs: expires}); err != nil {
		return false, err
	}
	return true, a.put(record.Expiry, record.TimedKey(record.ExpireNonce, expires, hash), nil)
}

// forgetNonce takes a nonce out.
func (a *applier) forgetNonce(expires int64, hash [record.IDBytes]byte) error {
	a.state.Nonces--
	if err := a.remove(record.Expiry, record.TimedKey(record.ExpireNonce, expires, hash)); err != nil {
		return err
	}
	return a.remove(record.Nonces, hash[:])
}

// pruneEach is how many expired nonces, results and import tokens a command
// takes out at most, of each. A command adds at most one of each, so what has
// expired is gone soon, and no command has to pay for many.
const pruneEach = 8

// prune takes expired nonces, import tokens and results out, the oldest first. Stamps never go
// back, so results expire in the order of their entries but for those of one
// millisecond: the first that has to stay ends the search.
func (a *applier) prune() error {
	if err := a.pruneKind(record.ExpireNonce, nil, a.forgetNonce); err != nil {
		return err
	}
	if err := a.pruneKind(record.ExpireImportToken, nil, a.forgetToken); err != nil {
		return err
	}
	return a.pruneKind(record.ExpireResult, a.resultIsOld, a.forgetResult)
}

// pruneKind takes out what has expired by time and, if there is such a
// question, is old enough.
func (a *applier) pruneKind(kind byte, old func(id [record.IDBytes]byte) (bool, error), forget func(expires int64, id [record.IDBytes]byte) error) error {
	type expired struct {
		ms int64
		id [record.IDBytes]byte
	}
	var room [pruneEach]expired
	due := room[:0]
	err := a.tables[record.Expiry].scan([]byte{kind}, func(key, _ []byte) (bool, error) {
		_, ms, id, ok := record.ParseTimedKey(key)
		if !ok {
			return false, damaged("expiry record %x", key)
		}
		if ms > a.stamp {
			return false, nil
		}
		if old != nil {
			if yes, err := old(id); err != nil || !yes {
				return false, err
			}
		}
		due = append(due, expired{ms, id})
		return len(due) < pruneEach, nil
	})
	if err != nil {
		return err
	}
	for _, e := range due {
		if err := forget(e.ms, e.id); err != nil {
			return err
		}
	}
	return nil
}
