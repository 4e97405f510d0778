package store

import (
	"bytes"
	"errors"
	"slices"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// TagQuery says which rows TagRows lists.
type TagQuery struct {
	Keys  []crypto.KeyID // of these keys, those that do not exist have no rows; nil: of all
	Have  []TagMatch     // only of keys that have a tag for each of these
	From  TagPosition    // only rows behind it
	Limit int            // of the rows of one answer
	Scan  int            // of the keys looked at for one answer without Keys; 0: no limit
}

// TagMatch is what a tag is compared with.
type TagMatch struct {
	Tag
	AnyValue bool // the tag key alone counts
}

// TagRow is a tag with its key.
type TagRow struct {
	KeyID crypto.KeyID
	Tag
}

// TagPosition is a place in the order of rows. The zero value is before the
// first one.
type TagPosition struct {
	KeyID  crypto.KeyID
	TagKey string
}

// behind reports whether a tag of the key comes after the position.
func (p TagPosition) behind(id crypto.KeyID, tagKey string) bool {
	if order := bytes.Compare(id[:], p.KeyID[:]); order != 0 {
		return order > 0
	}
	return tagKey > p.TagKey
}

// Tags returns the tags of a key, by tag key; ErrKeyNotFound.
func (v *View) Tags(id crypto.KeyID) (tags []Tag, err error) {
	k, err := v.Key(id)
	if err != nil {
		return nil, err
	}
	err = guarded(func() error {
		tags, err = v.readTags(k)
		return err
	})
	if err != nil {
		return nil, err
	}
	return tags, nil
}

// readTags reads the tags of a key, all that its record counts.
func (v *View) readTags(k *Key) (tags []Tag, err error) {
	t, err := v.table(record.Tags)
	if err != nil {
		return nil, err
	}
	err = t.scan(k.ID[:], func(key, message []byte) (bool, error) {
		r := new(storepb.TagRecord)
		if err := t.decode(key, message, r); err != nil {
			return false, err
		}
		tags = append(tags, Tag{Key: string(key[record.IDBytes:]), Value: r.Value})
		return true, nil
	})
	if err == nil && len(tags) != k.tags {
		err = damaged("key %s has %d tags, not %d", k.ID, len(tags), k.tags)
	}
	return tags, err
}

// TagRows lists the tags of keys, by key id, then tag key: up to q.Limit of
// them. When there may be more, q.From = next lists those that follow. Without
// q.Keys a rare q.Have has to read every tag of the region, for which q.Scan
// bounds the part of one answer, which may hold no row then; and the tags of a
// whole key that damage hides are not missed.
func (v *View) TagRows(q TagQuery) (rows []TagRow, next TagPosition, more bool, err error) {
	if q.Limit <= 0 {
		return nil, q.From, false, nil
	}
	l := tagList{view: v, query: q, next: q.From}
	err = guarded(func() error {
		if q.Keys == nil {
			return l.listAll()
		}
		return l.list(q.Keys)
	})
	if err != nil {
		return nil, TagPosition{}, false, err
	}
	return l.rows, l.next, l.more, nil
}

// tagList is a listing under way.
type tagList struct {
	view  *View
	query TagQuery
	rows  []TagRow
	next  TagPosition // up to where the rows are listed
	more  bool
}

// list adds the rows of some keys.
func (l *tagList) list(keys []crypto.KeyID) error {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b crypto.KeyID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range slices.Compact(keys) {
		if bytes.Compare(id[:], l.query.From.KeyID[:]) < 0 {
			continue
		}
		if err := l.addKey(id); err != nil && !errors.Is(err, ErrKeyNotFound) {
			return err
		}
		if l.more {
			return nil
		}
	}
	return nil
}

// listAll goes from one key that has tags to the next.
func (l *tagList) listAll() error {
	t, err := l.view.table(record.Tags)
	if err != nil {
		return err
	}
	from := l.query.From.KeyID[:]
	for looked := 0; !l.more; {
		var id crypto.KeyID
		found := false
		err := t.scanFrom(from, nil, func(key, _ []byte) (bool, error) {
			if len(key) <= record.IDBytes {
				return false, damaged("tag record %x", key)
			}
			id, found = crypto.KeyID(key[:record.IDBytes]), true
			return false, nil
		})
		if err != nil || !found {
			return err
		}
		if l.query.Scan > 0 && looked == l.query.Scan {
			l.more = true
			return nil
		}
		if id != l.query.From.KeyID { // which counted before: a bound of one key gets on as well
			looked++
		}
		switch err := l.addKey(id); {
		case errors.Is(err, ErrKeyNotFound):
			return damaged("key %s has tags but no record", id)
		case err != nil:
			return err
		}
		if from = following(id); from == nil {
			return nil
		}
	}
	return nil
}

// addKey adds the rows of one key, until there are enough.
func (l *tagList) addKey(id crypto.KeyID) error {
	k, err := l.view.peekKey(id)
	if err != nil {
		return err
	}
	tags, err := l.view.readTags(k)
	if err != nil {
		return err
	}
	if !hasAll(tags, l.query.Have) {
		if n := len(tags); n > 0 && l.next.behind(id, tags[n-1].Key) {
			l.next = TagPosition{id, tags[n-1].Key}
		}
		return nil
	}
	for _, tag := range tags {
		if !l.query.From.behind(id, tag.Key) {
			continue
		}
		if len(l.rows) == l.query.Limit {
			l.more = true
			return nil
		}
		l.rows = append(l.rows, TagRow{KeyID: id, Tag: tag})
		l.next = TagPosition{id, tag.Key}
	}
	return nil
}

// hasAll reports whether there is a tag for each match.
func hasAll(tags []Tag, have []TagMatch) bool {
	for _, m := range have {
		if !slices.ContainsFunc(tags, func(t Tag) bool { return t.Key == m.Key && (m.AnyValue || t.Value == m.Value) }) {
			return false
		}
	}
	return true
}

// following returns the lowest key id above id, nil if there is none.
func following(id crypto.KeyID) []byte {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			return id[:]
		}
	}
	return nil
}
