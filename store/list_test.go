package store

import (
	"fmt"
	"testing"
)

func TestKeysAreListedByCreationThenID(t *testing.T) {
	r := newRegion(t)
	const n = 300
	for i := range n {
		r.stamp += int64(i % 3 / 2) // three keys share a millisecond
		r.ok(createKey(i))
	}
	r.read(func(v *View) {
		var all []*Key
		for offset := 0; offset < n; offset += 7 {
			page, total, err := v.Keys(offset, 7, nil)
			if err != nil || total != n || len(page) != min(7, n-offset) {
				t.Fatalf("at %d: page of %d, total %d, %v", offset, len(page), total, err)
			}
			all = append(all, page...)
		}
		for i := 1; i < n; i++ {
			a, b := all[i-1], all[i]
			if !a.Created.Before(b.Created) && !(a.Created.Equal(b.Created) && string(a.ID[:]) < string(b.ID[:])) {
				t.Fatalf("%s at %s comes before %s at %s", a.ID, a.Created, b.ID, b.Created)
			}
		}
		even := func(k *Key) bool { return k.ID[15]%2 == 0 }
		var want []*Key
		for _, k := range all {
			if even(k) {
				want = append(want, k)
			}
		}
		for _, c := range []struct{ offset, limit int }{{0, n}, {0, 0}, {5, 10}, {len(want) - 1, 10}, {len(want), 10}, {n * 2, 1}} {
			page, total, err := v.Keys(c.offset, c.limit, even)
			if err != nil || total != len(want) {
				t.Fatalf("total %d, %v; want %d", total, err, len(want))
			}
			expected := want[min(c.offset, len(want)):min(c.offset+c.limit, len(want))]
			if fmt.Sprint(ids(page)) != fmt.Sprint(ids(expected)) {
				t.Errorf("%d from %d: %v; want %v", c.limit, c.offset, ids(page), ids(expected))
			}
		}
		if page, total, err := v.Keys(n, 10, nil); err != nil || total != n || len(page) != 0 {
			t.Errorf("beyond the end: %d of %d, %v", len(page), total, err)
		}
	})
}

func ids(keys []*Key) (out []string) {
	for _, k := range keys {
		out = append(out, k.ID.String())
	}
	return out
}
