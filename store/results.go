package store

import (
	"bytes"
	"crypto/sha256"

	"google.golang.org/protobuf/proto"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// resultMs and resultEntries are how long the result of a command is
// remembered: for 31 minutes, a little longer than any nonce lives, and for as
// many entries of the log. Minutes alone would not do: stamps are of the
// leader's clock, and the next leader's may be far ahead.
const (
	resultMs      = 31 * 60 * 1000
	resultEntries = 65536
)

// bodyHash is what a result remembers of its command: all that stays the same
// when the command comes again, from whatever node and under whatever stamp.
func bodyHash(c *storepb.Command) ([]byte, error) {
	body, err := encode(&storepb.Command{Body: c.Body})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return sum[:], nil
}

// rememberedResult returns what a command of this id came to the first time,
// or nil. A result that is still here counts, whether it has expired or not.
func (a *applier) rememberedResult(id [record.IDBytes]byte, hash []byte) (*storepb.Result, error) {
	r := new(storepb.ResultRecord)
	found, err := a.tables[record.Results].load(id[:], r)
	if err != nil || !found {
		return nil, err
	}
	if len(r.BodyHash) > 0 && !bytes.Equal(r.BodyHash, hash) {
		return invalid("the command id belongs to another command").at(a.index), nil
	}
	return decodeResult(r)
}

func decodeResult(r *storepb.ResultRecord) (*storepb.Result, error) {
	result := new(storepb.Result)
	if err := proto.Unmarshal(r.Result, result); err != nil {
		return nil, damaged("remembered result: %v", err)
	}
	return result, nil
}

// rememberResult keeps a result for a command that comes again.
func (a *applier) rememberResult(id [record.IDBytes]byte, hash []byte, r *storepb.Result) error {
	encoded, err := encode(r)
	if err != nil {
		return err
	}
	expires := a.stamp + resultMs
	a.state.Results++
	kept := &storepb.ResultRecord{Result: encoded, ExpiresMs: expires, Index: a.index, BodyHash: hash}
	if err := a.put(record.Results, id[:], kept); err != nil {
		return err
	}
	return a.put(record.Expiry, record.TimedKey(record.ExpireResult, expires, id), nil)
}

// resultIsOld reports whether enough entries have followed a result, too.
func (a *applier) resultIsOld(id [record.IDBytes]byte) (bool, error) {
	r := new(storepb.ResultRecord)
	if found, err := a.tables[record.Results].load(id[:], r); err != nil {
		return false, err
	} else if !found {
		return false, damaged("result of %x is missing", id)
	}
	return a.index >= r.Index+resultEntries, nil
}

// forgetResult takes a result out.
func (a *applier) forgetResult(expires int64, id [record.IDBytes]byte) error {
	a.state.Results--
	if err := a.remove(record.Expiry, record.TimedKey(record.ExpireResult, expires, id)); err != nil {
		return err
	}
	return a.remove(record.Results, id[:])
}
