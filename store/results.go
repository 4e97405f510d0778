package store

import (
	"google.golang.org/protobuf/proto"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// resultMs is how long the result of a command is remembered: 31 minutes, a
// little longer than any nonce lives.
const resultMs = 31 * 60 * 1000

// rememberedResult returns what a command of this id came to the first time,
// or nil.
func (a *applier) rememberedResult(id [record.IDBytes]byte) (*storepb.Result, error) {
	r := new(storepb.ResultRecord)
	found, err := a.tables[record.Results].load(id[:], r)
	if err != nil || !found {
		return nil, err
	}
	if r.ExpiresMs <= a.stamp {
		return nil, a.forgetResult(r.ExpiresMs, id)
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
func (a *applier) rememberResult(id [record.IDBytes]byte, r *storepb.Result) error {
	encoded, err := encode(r)
	if err != nil {
		return err
	}
	expires := a.stamp + resultMs
	a.state.Results++
	if err := a.put(record.Results, id[:], &storepb.ResultRecord{Result: encoded, ExpiresMs: expires}); err != nil {
		return err
	}
	return a.put(record.Expiry, record.TimedKey(record.ExpireResult, expires, id), nil)
}

// forgetResult takes a result out.
func (a *applier) forgetResult(expires int64, id [record.IDBytes]byte) error {
	a.state.Results--
	if err := a.remove(record.Expiry, record.TimedKey(record.ExpireResult, expires, id)); err != nil {
		return err
	}
	return a.remove(record.Results, id[:])
}
