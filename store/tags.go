package store

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// maxTagged bounds the keys, and the tags, of one TagKeys or UntagKeys, so that
// a transaction stays small.
const maxTagged = 64

// tagKeys gives tags to keys in any state: to all of them or to none. A tag
// that a key has gets the new value.
func (a *applier) tagKeys(c *storepb.TagKeys) (*storepb.Result, error) {
	if err := checkTags(c.Tags); err != nil {
		return nil, err
	}
	if len(c.Tags) == 0 || len(c.Tags) > maxTagged {
		return nil, invalid("%d tags", len(c.Tags))
	}
	return a.changeTags(c.KeyIds, func(t *taggedKey) error {
		t.put = c.Tags
		for _, tag := range c.Tags {
			_, found, err := a.tables[record.Tags].get(record.Under(t.id, tag.Key))
			if err != nil {
				return err
			}
			if !found {
				t.after.Tags++
			}
		}
		if c.Limit != 0 && t.after.Tags > c.Limit && t.after.Tags > t.before.Tags {
			return refuseLimit("tags", uint64(c.Limit)).of(t.id)
		}
		return nil
	})
}

// untagKeys takes tags from keys in any state: from all of them or from none.
func (a *applier) untagKeys(c *storepb.UntagKeys) (*storepb.Result, error) {
	switch {
	case c.All != (len(c.TagKeys) == 0):
		return nil, invalid("%d tag keys, all %t", len(c.TagKeys), c.All)
	case len(c.TagKeys) > maxTagged:
		return nil, invalid("%d tag keys", len(c.TagKeys))
	}
	return a.changeTags(c.KeyIds, func(t *taggedKey) error {
		tags, err := a.keysUnder(record.Tags, t.id)
		if err != nil {
			return err
		}
		if len(tags) != int(t.before.Tags) {
			return damaged("key %s has %d tags, not %d", t.id, len(tags), t.before.Tags)
		}
		for _, key := range tags {
			if c.All || slices.Contains(c.TagKeys, string(key[record.IDBytes:])) {
				t.remove = append(t.remove, key)
			}
		}
		t.after.Tags -= uint32(len(t.remove))
		return nil
	})
}

// checkTags refuses tags that could not all be kept.
func checkTags(tags []*storepb.Tag) error {
	for i, tag := range tags {
		for _, earlier := range tags[:i] {
			if tag.Key == earlier.Key {
				return invalid("tag %q twice", tag.Key)
			}
		}
		if tag.Key == "" || len(tag.Key) > maxNameBytes {
			return invalid("tag key of %d bytes", len(tag.Key))
		}
	}
	return nil
}

// taggedKey is a key whose tags change.
type taggedKey struct {
	id            crypto.KeyID
	before, after *storepb.KeyRecord
	put           []*storepb.Tag
	remove        [][]byte // keys of Tags
}

// changeTags plans the change for every key before it makes the first.
func (a *applier) changeTags(rawIDs [][]byte, plan func(*taggedKey) error) (*storepb.Result, error) {
	ids, err := distinctKeyIDs(rawIDs)
	if err != nil {
		return nil, err
	}
	changes := make([]taggedKey, len(ids))
	for i, id := range ids {
		k := new(storepb.KeyRecord)
		found, err := a.tables[record.Keys].load(id[:], k)
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, refuse(storepb.Code_KEY_NOT_FOUND).of(id)
		}
		changes[i] = taggedKey{id: id, before: k, after: proto.CloneOf(k)}
		if err := plan(&changes[i]); err != nil {
			return nil, err
		}
	}
	for _, t := range changes {
		if err := a.applyTags(t); err != nil {
			return nil, err
		}
	}
	return &storepb.Result{Code: storepb.Code_OK}, nil
}

func (a *applier) applyTags(t taggedKey) error {
	for _, tag := range t.put {
		if err := a.put(record.Tags, record.Under(t.id, tag.Key), &storepb.TagRecord{Value: tag.Value}); err != nil {
			return err
		}
	}
	for _, key := range t.remove {
		if err := a.remove(record.Tags, key); err != nil {
			return err
		}
	}
	if t.before.Tags == t.after.Tags {
		return nil
	}
	return a.putKey(t.id, t.before, t.after)
}

// distinctKeyIDs reads the key ids of a command on several keys.
func distinctKeyIDs(rawIDs [][]byte) ([]crypto.KeyID, error) {
	if len(rawIDs) == 0 || len(rawIDs) > maxTagged {
		return nil, invalid("%d keys", len(rawIDs))
	}
	ids := make([]crypto.KeyID, len(rawIDs))
	for i, rawID := range rawIDs {
		id, err := keyID(rawID)
		if err != nil {
			return nil, err
		}
		if slices.Contains(ids[:i], id) {
			return nil, invalid("key %s twice", id)
		}
		ids[i] = id
	}
	return ids, nil
}
