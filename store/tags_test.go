package store

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"meridian/crypto"
	"meridian/store/storepb"
)

// tagging gives tags, written "key=value", to keys.
func tagging(keys []int, tags ...string) *storepb.TagKeys {
	c := &storepb.TagKeys{}
	for _, n := range keys {
		c.KeyIds = append(c.KeyIds, idOf(n))
	}
	for _, tag := range tags {
		key, value, _ := bytes.Cut([]byte(tag), []byte("="))
		c.Tags = append(c.Tags, &storepb.Tag{Key: string(key), Value: string(value)})
	}
	return c
}

func untagging(keys []int, tags ...string) *storepb.UntagKeys {
	return &storepb.UntagKeys{KeyIds: tagging(keys).KeyIds, TagKeys: tags, All: len(tags) == 0}
}

// tagsOf writes the tags of a key.
func (r *region) tagsOf(n int) (text string) {
	r.t.Helper()
	r.read(func(v *View) {
		tags, err := v.Tags(id(n))
		if err != nil {
			r.t.Fatal(err)
		}
		for _, tag := range tags {
			text += tag.Key + "=" + tag.Value + " "
		}
	})
	return text
}

func TestTagKeys(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		r.ok(createKey(n))
	}
	tags := func(want ...string) {
		t.Helper()
		for i, w := range want {
			if got := r.tagsOf(i + 1); got != w {
				t.Errorf("key %d: %q; want %q", i+1, got, w)
			}
		}
		r.check()
	}
	r.ok(tagging([]int{1, 2}, "team=blue", "env="))
	tags("env= team=blue ", "env= team=blue ", "")
	r.ok(tagging([]int{2, 3}, "team=red", "more=1")) // one more, one changed
	tags("env= team=blue ", "env= more=1 team=red ", "more=1 team=red ")
	r.ok(untagging([]int{1, 2, 3}, "team", "none"))
	tags("env= ", "env= more=1 ", "more=1 ")
	r.ok(untagging([]int{1}, "none"))
	tags("env= ", "env= more=1 ", "more=1 ")
	r.ok(untagging([]int{1, 2}))
	tags("", "", "more=1 ")
	r.ok(untagging([]int{1}))
	tags("", "", "more=1 ")
}

// A tag is bytes: a tag key that another begins with is another tag.
func TestTagKeysAreNotPrefixes(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(tagging([]int{1}, "a=1", "ab=2", "\x00=3", "ä=4"))
	r.ok(untagging([]int{1}, "a", "\x00"))
	if got := r.tagsOf(1); got != "ab=2 ä=4 " {
		t.Errorf("%q", got)
	}
	r.check()
}

// All keys or none, and the answer names the one that was in the way.
func TestTagsOfAllKeysOrNone(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		r.ok(createKey(n))
	}
	r.ok(tagging([]int{1, 2, 3}, "a=1"))
	r.ok(tagging([]int{3}, "b=1", "c=1"))
	limited := func(limit uint32, c *storepb.TagKeys) *storepb.TagKeys {
		c.Limit = limit
		return c
	}
	for _, tt := range []struct {
		name string
		code storepb.Code
		by   int // the key that refuses
		body any
	}{
		{"tags for a key that is not there", storepb.Code_KEY_NOT_FOUND, 9, tagging([]int{1, 9, 3}, "z=1")},
		{"no tags for a key that is not there", storepb.Code_KEY_NOT_FOUND, 9, untagging([]int{1, 9})},
		{"one too many for the last key", storepb.Code_LIMIT, 3, limited(3, tagging([]int{1, 2, 3}, "a=2", "z=1"))},
	} {
		result := r.refused(tt.code, tt.body)
		if !bytes.Equal(result.KeyId, idOf(tt.by)) {
			t.Errorf("%s: the answer names %x", tt.name, result.KeyId)
		}
		if tt.code == storepb.Code_LIMIT && (result.Limit != 3 || result.What != "tags") {
			t.Errorf("%s: limit of %d %s", tt.name, result.Limit, result.What)
		}
		for n, want := range map[int]string{1: "a=1 ", 2: "a=1 ", 3: "a=1 b=1 c=1 "} {
			if got := r.tagsOf(n); got != want {
				t.Errorf("%s: key %d has %q", tt.name, n, got)
			}
		}
		r.check()
	}
	r.ok(limited(4, tagging([]int{1, 2, 3}, "a=2", "z=1")))
	r.ok(limited(2, tagging([]int{3}, "a=3"))) // over the limit already, and no more than before
	r.refused(storepb.Code_LIMIT, limited(2, tagging([]int{3}, "a=3", "y=1")))
	r.check()
}

func TestTagLists(t *testing.T) {
	r := newRegion(t)
	const most = maxTagged
	var keys, tooMany []int
	for n := range most + 1 {
		r.ok(createKey(n))
		if n < most {
			keys = append(keys, n)
		}
		tooMany = append(tooMany, n)
	}
	numbered := func(n int) (tags []string) {
		for i := range n {
			tags = append(tags, fmt.Sprint("tag", i))
		}
		return tags
	}
	both := untagging([]int{1}, "a")
	both.All = true
	neither := untagging([]int{1})
	neither.All = false
	for i, body := range []any{
		tagging(nil, "a"), tagging(tooMany, "a"), tagging([]int{1, 2, 1}, "a"), tagging([]int{1}), tagging([]int{1}, numbered(most+1)...),
		tagging([]int{1}, "a=1", "a=2"), tagging([]int{1}, "=1"), tagging([]int{1}, string(make([]byte, maxNameBytes+1))),
		&storepb.TagKeys{KeyIds: [][]byte{{1}}, Tags: []*storepb.Tag{{Key: "a"}}},
		untagging(nil, "a"), untagging(tooMany, "a"), untagging([]int{1, 1}, "a"), untagging([]int{1}, numbered(most+1)...), both, neither,
		&storepb.UntagKeys{KeyIds: [][]byte{{1}}, All: true},
	} {
		if result := r.do(body); result.Code != storepb.Code_INVALID || result.What == "" {
			t.Errorf("%d, %T: %s %q", i, body, result.Code, result.What)
		}
	}
	r.check()
	r.ok(tagging(keys, numbered(most)...))
	r.ok(tagging([]int{most}, string(make([]byte, maxNameBytes))))
	r.check()
	r.ok(untagging(keys, numbered(most)...))
	r.ok(untagging([]int{most}))
	r.read(func(v *View) {
		if rows, _, more, err := v.TagRows(TagQuery{Limit: 1}); err != nil || len(rows) != 0 || more {
			t.Errorf("%v, %v, %v", rows, more, err)
		}
	})
	r.check()
}

// TestTagRows compares pages of every size with a list that was made by hand.
func TestTagRows(t *testing.T) {
	r := newRegion(t)
	random := rand.New(rand.NewPCG(3, 4))
	var all []TagRow
	ids := map[crypto.KeyID]bool{}
	for n := range 30 {
		r.ok(createKey(n))
		ids[id(n)] = true
		for _, key := range []string{"a", "ab", "b", "c"} {
			if random.IntN(2) == 0 {
				continue
			}
			value := fmt.Sprint(random.IntN(2))
			r.ok(tagging([]int{n}, key+"="+value))
			all = append(all, TagRow{id(n), Tag{key, value}})
		}
	}
	slices.SortFunc(all, func(a, b TagRow) int {
		return cmp.Or(bytes.Compare(a.KeyID[:], b.KeyID[:]), cmp.Compare(a.Key, b.Key))
	})
	some := []crypto.KeyID{id(7), id(99), id(3), id(7), id(21), id(0)} // in no order, one twice, one that is not there
	queries := map[string]TagQuery{
		"all":                     {},
		"some keys":               {Keys: some},
		"no keys":                 {Keys: []crypto.KeyID{}},
		"a tag key":               {Have: []TagMatch{{Tag{Key: "a"}, true}}},
		"a tag":                   {Have: []TagMatch{{Tag{"a", "1"}, false}}},
		"two tags":                {Have: []TagMatch{{Tag{"a", "1"}, false}, {Tag{Key: "c"}, true}}},
		"an empty value":          {Have: []TagMatch{{Tag{Key: "a"}, false}}},
		"a tag that nobody has":   {Have: []TagMatch{{Tag{Key: "x"}, true}}},
		"a tag key, of some keys": {Keys: some, Have: []TagMatch{{Tag{Key: "b"}, true}}},
	}
	v := r.view()
	for name, q := range queries {
		want := slices.DeleteFunc(slices.Clone(all), func(row TagRow) bool { return !wanted(all, row, q) })
		for limit := 1; limit <= len(all)+1; limit++ {
			q.Limit, q.Scan, q.From = limit, limit%4, TagPosition{}
			var got []TagRow
			for page := 0; ; page++ {
				rows, next, more, err := v.TagRows(q)
				if err != nil || len(rows) > limit || more && len(rows) < limit && q.Scan == 0 || page > len(all) {
					t.Fatalf("%s, %d at a time: %d rows, more %v, %v", name, limit, len(rows), more, err)
				}
				got = append(got, rows...)
				if q.From = next; !more {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s, %d at a time: %v; want %v", name, limit, got, want)
			}
			if rows, _, more, err := v.TagRows(q); err != nil || len(rows) != 0 || more {
				t.Errorf("%s: after the end %d rows, more %v, %v", name, len(rows), more, err)
			}
		}
	}
	if rows, next, more, err := v.TagRows(TagQuery{From: TagPosition{id(1), "x"}}); err != nil || len(rows) != 0 || more || next != (TagPosition{id(1), "x"}) {
		t.Errorf("no rows asked for: %v, %v, %v, %v", rows, next, more, err)
	}
}

// wanted is the slow way to say whether a query lists a row.
func wanted(all []TagRow, row TagRow, q TagQuery) bool {
	if q.Keys != nil && !slices.Contains(q.Keys, row.KeyID) {
		return false
	}
	for _, m := range q.Have {
		if !slices.ContainsFunc(all, func(other TagRow) bool {
			return other.KeyID == row.KeyID && other.Key == m.Key && (m.AnyValue || other.Value == m.Value)
		}) {
			return false
		}
	}
	return true
}

// A listing goes on where it stopped, also when what it stopped at is gone, and
// from the highest key id.
func TestTagRowsGoOn(t *testing.T) {
	r := newRegion(t)
	top := createKey(1)
	top.KeyId = bytes.Repeat([]byte{0xff}, 16)
	r.ok(top)
	r.ok(createKey(2))
	r.ok(&storepb.TagKeys{KeyIds: [][]byte{top.KeyId, idOf(2)}, Tags: []*storepb.Tag{{Key: "a"}, {Key: "b"}, {Key: "c"}}})
	first := TagQuery{Limit: 2}
	var at TagPosition
	r.read(func(v *View) {
		rows, next, more, err := v.TagRows(first)
		if err != nil || len(rows) != 2 || !more || next != (TagPosition{id(2), "b"}) {
			t.Fatalf("%v, %v, %v, %v", rows, next, more, err)
		}
		at = next
	})
	r.ok(untagging([]int{2}, "b"))
	r.read(func(v *View) {
		rows, next, more, err := v.TagRows(TagQuery{Limit: 10, From: at})
		highest := crypto.KeyID(top.KeyId)
		if err != nil || more || len(rows) != 4 || rows[0] != (TagRow{id(2), Tag{Key: "c"}}) || next != (TagPosition{highest, "c"}) {
			t.Errorf("%v, %v, %v, %v", rows, next, more, err)
		}
		if rows, _, more, err := v.TagRows(TagQuery{Limit: 10, From: next}); err != nil || more || len(rows) != 0 {
			t.Errorf("%v, %v, %v", rows, more, err)
		}
	})
}
