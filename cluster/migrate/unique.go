package migrate

import (
	"hash/maphash"
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DefaultIDs is how many ids a run compares if nobody says: they take about 90 MiB.
const DefaultIDs = 8_000_000

// Unique is a format whose rows fail with [FaultDuplicate] when an earlier row has the same id. Rows without an id are
// passed on.
//
// It remembers a keyed hash of each id, at most 12 bytes an id and four mebibytes, of the first so many ids; those after them
// are compared with these alone, and Forgotten counts them. A hash has 63 bits: two different ids have the same one in one
// of 200,000 runs over ten million rows. Such a row fails, and is not lost.
type Unique struct {
	Format
	shard Shard
	most  int64
	seed  maphash.Seed
	seen  hashSet
	// Forgotten is how many ids were not remembered.
	Forgotten int64
}

// NewUnique looks for duplicates in the rows of a shard, and remembers so many ids. Close gives the memory back.
func NewUnique(rows Format, shard Shard, most int64) *Unique {
	return &Unique{Format: rows, shard: shard, most: most, seed: maphash.MakeSeed()}
}

// Next returns the next row.
func (u *Unique) Next() (*Row, error) {
	row, err := u.Format.Next()
	if err != nil || row.ID == "" || !u.shard.has(row) {
		return row, err
	}
	switch there, err := u.seen.add(maphash.String(u.seed, row.ID), u.seen.size < u.most); {
	case err != nil:
		return nil, err
	case there == idThere:
		row.setFault(fault(FaultDuplicate, "an earlier row has the same id"))
	case there == idForgotten:
		u.Forgotten++
	}
	return row, nil
}

// Header is what the output begins with.
func (u *Unique) Header() []byte {
	if h, ok := u.Format.(headed); ok {
		return h.Header()
	}
	return nil
}

// Close forgets all ids.
func (u *Unique) Close() error { return u.seen.close() }

// hashSet is a set of 64-bit hashes in memory of its own, so that the collector neither copies nor counts it. It is
// divided into parts that grow one by one: while one grows there is little beside it.
type hashSet struct {
	parts [256]hashPart
	size  int64
}

// hashPart is a table with open addressing. Zero is an empty place.
type hashPart struct {
	memory []byte
	places []uint64
	used   int
}

// firstPlaces is how many a part begins with: four pages.
const firstPlaces = 2048

// What a set says of a hash.
const (
	idNew = iota
	idThere
	idForgotten
)

// add says whether a hash was there, and remembers it if it may.
func (s *hashSet) add(hash uint64, remember bool) (int, error) {
	part := &s.parts[hash>>56]
	key := hash | 1 // never zero; of the hash 63 bits count
	at, there := part.find(key)
	switch {
	case there:
		return idThere, nil
	case !remember:
		return idForgotten, nil
	}
	if part.used >= len(part.places)*17/20 {
		if err := part.grow(); err != nil {
			return 0, err
		}
		at, _ = part.find(key)
	}
	part.places[at] = key
	part.used++
	s.size++
	return idNew, nil
}

// find returns the place of a key, or the one where it belongs.
func (p *hashPart) find(key uint64) (at int, there bool) {
	n := len(p.places)
	if n == 0 {
		return 0, false
	}
	first, _ := bits.Mul64(key<<8, uint64(n)) // the part took the upper byte
	for at = int(first); p.places[at] != 0; {
		if p.places[at] == key {
			return at, true
		}
		if at++; at == n {
			at = 0
		}
	}
	return at, false
}

// grow makes a quarter more places.
func (p *hashPart) grow() error {
	n := max(firstPlaces, len(p.places)/4*5)
	memory, err := unix.Mmap(-1, 0, n*8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	old := *p
	*p = hashPart{memory: memory, places: unsafe.Slice((*uint64)(unsafe.Pointer(&memory[0])), n), used: old.used}
	for _, key := range old.places {
		if key != 0 {
			at, _ := p.find(key)
			p.places[at] = key
		}
	}
	return old.release()
}

func (p *hashPart) release() error {
	if p.memory == nil {
		return nil
	}
	return unix.Munmap(p.memory)
}

func (s *hashSet) close() error {
	for i := range s.parts {
		if err := s.parts[i].release(); err != nil {
			return err
		}
		s.parts[i] = hashPart{}
	}
	s.size = 0
	return nil
}
