package store

import (
	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// Node returns the incarnation that a node id was registered with; false when
// it was not.
func (v *View) Node(id string) (NodeRecord, bool, error) {
	if id == "" {
		return NodeRecord{}, false, nil
	}
	r := new(storepb.NodeRecord)
	found, err := v.loadGuarded(record.Nodes, []byte(id), r)
	if err != nil || !found {
		return NodeRecord{}, false, err
	}
	return NodeRecord{Incarnation: r.Incarnation, Registered: timeOf(r.RegisteredMs)}, true, nil
}

// Configuration returns the newest Raft configuration that came through the
// log, with the index of its entry: 0 and nil when none did.
func (v *View) Configuration() (index uint64, data []byte, err error) {
	r := new(storepb.ConfigurationRecord)
	if _, err := v.loadGuarded(record.Meta, record.MetaConfiguration, r); err != nil {
		return 0, nil, err
	}
	return r.Index, r.Data, nil
}

// Tombstone reports whether a key version was destroyed. The zero version
// stands for a key that was destroyed without ever having material.
func (v *View) Tombstone(id crypto.KeyID, version crypto.VersionID) (bool, error) {
	return v.loadGuarded(record.Tombstones, record.VersionKey(id, version), new(storepb.Tombstone))
}

// Result returns what the command of an id came to, if it was applied within
// the last half hour of stamps or the last 65,536 entries; otherwise nil.
func (v *View) Result(commandID []byte) (*storepb.Result, error) {
	if len(commandID) != record.IDBytes {
		return nil, nil
	}
	r := new(storepb.ResultRecord)
	found, err := v.loadGuarded(record.Results, commandID, r)
	if err != nil || !found {
		return nil, err
	}
	return decodeResult(r)
}

// loadGuarded reads one record.
func (v *View) loadGuarded(id record.Bucket, key []byte, m proto.Message) (found bool, err error) {
	err = guarded(func() error {
		t, err := v.table(id)
		if err != nil {
			return err
		}
		found, err = t.load(key, m)
		return err
	})
	return found, err
}
