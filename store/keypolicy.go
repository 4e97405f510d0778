package store

import (
	"google.golang.org/protobuf/proto"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// setKeyPolicy replaces the policy of a key, or takes it out.
func (a *applier) setKeyPolicy(c *storepb.SetKeyPolicy) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	old, err := a.key(id)
	if err != nil {
		return nil, err
	}
	if old.State == storepb.KeyState_PENDING_DELETION {
		return nil, refuseState(old.State)
	}
	k := proto.CloneOf(old)
	k.Policy = c.Policy != ""
	switch {
	case k.Policy:
		err = a.put(record.Policies, id[:], &storepb.PolicyRecord{Policy: c.Policy})
	case old.Policy:
		err = a.remove(record.Policies, id[:])
	}
	if err != nil {
		return nil, err
	}
	if k.Policy != old.Policy {
		if err := a.putKey(id, old, k); err != nil {
			return nil, err
		}
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k}, nil
}
