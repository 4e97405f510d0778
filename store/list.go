package store

import (
	"bytes"
	"time"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// listChunk is how many keys are read between two rounds of calls of match.
const listChunk = 128

// Keys lists keys by creation, then id: limit of those after the first offset,
// and how many there are in all. With match it lists and counts those that
// match accepts, and has to look at every key; without, the total is a
// counter.
func (v *View) Keys(offset, limit int, match func(*Key) bool) (page []*Key, total int, err error) {
	if match == nil {
		err = guarded(func() error {
			page, err = v.keyPage(offset, limit)
			return err
		})
		return page, int(v.state.Keys), err
	}
	var from []byte
	for {
		var chunk []*Key
		err := guarded(func() (err error) {
			chunk, from, err = v.keyChunk(from)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		if len(chunk) == 0 {
			return page, total, nil
		}
		for _, k := range chunk { // outside guarded: match is not ours
			if !match(k) {
				continue
			}
			if total >= offset && len(page) < limit {
				page = append(page, k)
			}
			total++
		}
	}
}

// keyPage reads a page without looking at the keys before it.
func (v *View) keyPage(offset, limit int) (page []*Key, err error) {
	created, err := v.table(record.Created)
	if err != nil || limit <= 0 || uint64(max(offset, 0)) >= v.state.Keys {
		return nil, err
	}
	c := created.b.Cursor()
	key, value := c.First()
	for skip := offset; skip > 0 && key != nil; skip-- {
		key, value = c.Next()
	}
	for ; key != nil && len(page) < limit; key, value = c.Next() {
		if _, _, err := created.open(key, value); err != nil {
			return nil, err
		}
		k, err := v.createdKey(key)
		if err != nil {
			return nil, err
		}
		page = append(page, k)
	}
	return page, nil
}

// keyChunk reads the keys that were created after the entry from of Created,
// nil for the first. It returns the entry of the last one.
func (v *View) keyChunk(from []byte) (chunk []*Key, last []byte, err error) {
	created, err := v.table(record.Created)
	if err != nil {
		return nil, nil, err
	}
	err = created.scanFrom(from, nil, func(key, _ []byte) (bool, error) {
		if bytes.Equal(key, from) {
			return true, nil
		}
		k, err := v.createdKey(key)
		if err != nil {
			return false, err
		}
		chunk, last = append(chunk, k), bytes.Clone(key)
		return len(chunk) < listChunk, nil
	})
	return chunk, last, err
}

// createdKey reads the key of an entry of Created.
func (v *View) createdKey(entry []byte) (*Key, error) {
	if len(entry) != 8+record.IDBytes {
		return nil, damaged("created record %x", entry)
	}
	id := crypto.KeyID(entry[8:])
	k, err := v.peekKey(id)
	if err == ErrKeyNotFound {
		return nil, damaged("key %s is listed but has no record", id)
	}
	return k, err
}

// peekKey is Key for a listing: what it reads is not kept, so that a long list
// does not drive out what is in use.
func (v *View) peekKey(id crypto.KeyID) (*Key, error) {
	if k, ok := v.memos.keys.get(id, v.state.AppliedIndex); ok {
		return k, nil
	}
	return v.readKey(id)
}

// Aliases lists names in order: limit of those after the first offset, and how
// many there are in all.
func (v *View) Aliases(offset, limit int) (page []Alias, total int, err error) {
	err = guarded(func() error {
		aliases, err := v.table(record.Aliases)
		if err != nil || limit <= 0 || uint64(max(offset, 0)) >= v.state.Aliases {
			return err
		}
		n := 0
		return aliases.scan(nil, func(key, message []byte) (bool, error) {
			n++
			if n <= offset {
				return true, nil
			}
			r := new(storepb.AliasRecord)
			if err := aliases.decode(key, message, r); err != nil {
				return false, err
			}
			id, err := aliasKey(string(key), r)
			page = append(page, Alias{Name: string(key), KeyID: id})
			return len(page) < limit, err
		})
	})
	return page, int(v.state.Aliases), err
}

// AliasesOf lists the names of one key, in order, as Aliases does.
func (v *View) AliasesOf(id crypto.KeyID, offset, limit int) (page []Alias, total int, err error) {
	err = guarded(func() error {
		names, err := v.table(record.KeyAliases)
		if err != nil {
			return err
		}
		return names.scan(id[:], func(key, _ []byte) (bool, error) {
			if total >= offset && len(page) < limit {
				page = append(page, Alias{Name: string(key[record.IDBytes:]), KeyID: id})
			}
			total++
			return true, nil
		})
	})
	return page, total, err
}

// Policy returns the policy of a key, empty if it has none; ErrKeyNotFound.
func (v *View) Policy(id crypto.KeyID) (policy string, err error) {
	k, err := v.Key(id)
	if err != nil || !k.policy {
		return "", err
	}
	r := new(storepb.PolicyRecord)
	found, err := v.loadGuarded(record.Policies, id[:], r)
	if err != nil {
		return "", err
	}
	if !found {
		return "", damaged("key %s has no policy record", id)
	}
	return r.Policy, nil
}

// DueDeletions returns up to limit keys that are to be destroyed at now, the
// longest due first.
func (v *View) DueDeletions(now time.Time, limit int) ([]crypto.KeyID, error) {
	return v.due(record.DueDeletion, now, limit)
}

// DueRotations returns up to limit enabled keys that are to be rotated at now,
// the longest due first.
func (v *View) DueRotations(now time.Time, limit int) ([]crypto.KeyID, error) {
	return v.due(record.DueRotation, now, limit)
}

// DueSwitches returns up to limit keys that have had a version in waiting at
// now, the longest waiting first, whatever their state.
func (v *View) DueSwitches(now time.Time, limit int) ([]crypto.KeyID, error) {
	return v.due(record.DueSwitch, now, limit)
}

// DueExpiries returns up to limit keys whose imported material expires by now,
// the longest due first, whatever their state.
func (v *View) DueExpiries(now time.Time, limit int) ([]crypto.KeyID, error) {
	return v.due(record.DueExpiry, now, limit)
}

func (v *View) due(kind byte, now time.Time, limit int) (ids []crypto.KeyID, err error) {
	err = guarded(func() error {
		t, err := v.table(record.Due)
		if err != nil || limit <= 0 {
			return err
		}
		return t.scan([]byte{kind}, func(key, _ []byte) (bool, error) {
			_, ms, id, ok := record.ParseTimedKey(key)
			if !ok {
				return false, damaged("due record %x", key)
			}
			if ms > now.UnixMilli() {
				return false, nil
			}
			ids = append(ids, id)
			return len(ids) < limit, nil
		})
	})
	return ids, err
}
