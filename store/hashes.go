package store

// hashesKept is how many of the newest entries the state hash is remembered
// for. Nodes that are less apart than that find an index that both know.
const hashesKept = 4096

// indexHash is the state hash after the entry at an index.
type indexHash struct {
	index uint64
	hash  [32]byte
}

// hashRing holds the newest state hashes, by rising index.
type hashRing struct {
	entries []indexHash // a ring once it is full
	next    int         // where the next one goes
}

func (r *hashRing) add(entries []indexHash) {
	for _, e := range entries {
		if len(r.entries) < hashesKept {
			r.entries = append(r.entries, e)
			continue
		}
		r.entries[r.next] = e
		r.next = (r.next + 1) % hashesKept
	}
}

// find returns the hash at the highest index that is not above the given one.
func (r *hashRing) find(index uint64) (indexHash, bool) {
	low, high := 0, len(r.entries) // the first above index lies within
	for low < high {
		middle := (low + high) / 2
		if r.entries[(r.next+middle)%len(r.entries)].index <= index {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 {
		return indexHash{}, false
	}
	return r.entries[(r.next+low-1)%len(r.entries)], true
}

// HashAt returns the state hash as it was after the entry at an index; false
// when the store has not applied it, or has forgotten the hash: it remembers
// those of the last few thousand entries, and of what it opened or restored.
// Nodes of a region have equal hashes at equal indexes.
func (s *Store) HashAt(index uint64) (hash [32]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.hashes.find(index)
	if !ok || e.index != index {
		return hash, false
	}
	return e.hash, true
}
