package store

import "testing"

func TestHashAtEachAppliedIndex(t *testing.T) {
	r := newRegion(t)
	type at struct {
		index uint64
		hash  [32]byte
	}
	var seen []at
	for n := range 20 {
		r.ok(createKey(n))
		seen = append(seen, at{r.index, r.hash()})
	}
	for _, s := range seen {
		if hash, ok := r.store.HashAt(s.index); !ok || hash != s.hash {
			t.Errorf("index %d: %x, %v; the view had %x", s.index, hash, ok, s.hash)
		}
	}
	if _, ok := r.store.HashAt(r.index + 1); ok {
		t.Error("a hash of an index that was not applied")
	}

	r.reopen()
	if hash, ok := r.store.HashAt(r.index); !ok || hash != r.hash() {
		t.Errorf("after opening: %x, %v", hash, ok)
	}
	if _, ok := r.store.HashAt(seen[0].index); ok {
		t.Error("hashes of before the opening are known")
	}
}

// A batch on one node may be several on another: every index in it counts.
func TestHashInsideABatch(t *testing.T) {
	one, several := newRegion(t), newRegion(t)
	var batch []Entry
	for n := range 6 {
		batch = append(batch, one.entry(one.command(createKey(n))))
	}
	if _, err := one.store.Apply(batch); err != nil {
		t.Fatal(err)
	}
	for _, e := range batch {
		if _, err := several.store.Apply([]Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range batch {
		a, okA := one.store.HashAt(e.Index)
		b, okB := several.store.HashAt(e.Index)
		if !okA || !okB || a != b {
			t.Errorf("index %d: %x %v, %x %v", e.Index, a, okA, b, okB)
		}
	}
}

func TestHashRing(t *testing.T) {
	var r hashRing
	hash := func(n uint64) [32]byte { return [32]byte{byte(n), byte(n >> 8), byte(n >> 16)} }
	const last = 2*hashesKept + 77
	for n := uint64(1); n <= last; n++ {
		r.add([]indexHash{{2 * n, hash(n)}})
		if n != 1 && n != hashesKept && n != hashesKept+1 && n != last {
			continue
		}
		oldest := uint64(1)
		if n > hashesKept {
			oldest = n - hashesKept + 1
		}
		for m := oldest; m <= n; m++ {
			if e, ok := r.find(2 * m); !ok || e.index != 2*m || e.hash != hash(m) {
				t.Fatalf("after %d: index %d: %v %v", n, 2*m, e, ok)
			}
			if e, ok := r.find(2*m + 1); !ok || e.index != 2*m {
				t.Fatalf("after %d: below %d: %v %v", n, 2*m+1, e, ok)
			}
		}
		if e, ok := r.find(2*oldest - 1); ok {
			t.Fatalf("after %d: below the oldest: %v", n, e)
		}
	}
}
