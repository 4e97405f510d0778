package store

import (
	"hash/maphash"
	"sync/atomic"

	"meridian/crypto"
)

// memos keep what the views of one state file have decoded. A restored file
// has new ones.
type memos struct {
	keys     *memo[crypto.KeyID, *Key]
	versions *memo[versionName, *Version]
	aliases  *memo[string, crypto.KeyID]
	region   *memo[struct{}, *Region]
	// transport keeps the keys under which data keys come in.
	transport *memo[struct{}, []*TransportKey]
}

// versionName names a key version.
type versionName struct {
	key     crypto.KeyID
	version crypto.VersionID
}

// memoSlots bounds how many records of a kind are kept.
const memoSlots = 4096

func newMemos() *memos {
	return &memos{
		keys:      newMemo[crypto.KeyID, *Key](memoSlots),
		versions:  newMemo[versionName, *Version](memoSlots),
		aliases:   newMemo[string, crypto.KeyID](memoSlots),
		region:    newMemo[struct{}, *Region](1),
		transport: newMemo[struct{}, []*TransportKey](1),
	}
}

// memo keeps decoded records of one kind. It needs no
// lock and never blocks: a slot holds at most one record and the index of the
// view that decoded it, and beside it the index of the last entry that touched
// any record of the slot.
//
// A record decoded at index i may be used at index j if no entry after the
// smaller of both touched the slot. touch is called before the entry's commit,
// so by the time that a view at index j exists, touched knows of every entry up
// to j.
type memo[K comparable, V any] struct {
	seed  maphash.Seed
	slots []memoSlot[K, V]
}

type memoSlot[K comparable, V any] struct {
	entry   atomic.Pointer[memoEntry[K, V]]
	touched atomic.Uint64
}

type memoEntry[K comparable, V any] struct {
	key   K
	index uint64
	value V
}

func newMemo[K comparable, V any](slots int) *memo[K, V] {
	return &memo[K, V]{seed: maphash.MakeSeed(), slots: make([]memoSlot[K, V], slots)}
}

func (m *memo[K, V]) slot(key K) *memoSlot[K, V] {
	return &m.slots[maphash.Comparable(m.seed, key)%uint64(len(m.slots))]
}

// get returns the record as a view at index would read it.
func (m *memo[K, V]) get(key K, index uint64) (value V, ok bool) {
	slot := m.slot(key)
	e := slot.entry.Load()
	if e == nil || e.key != key {
		return value, false
	}
	touched := slot.touched.Load() // after e, see memo
	if e.index < touched || index < touched {
		return value, false
	}
	return e.value, true
}

// put keeps a record that a view at index has read.
func (m *memo[K, V]) put(key K, index uint64, value V) {
	slot := m.slot(key)
	if index >= slot.touched.Load() {
		slot.entry.Store(&memoEntry[K, V]{key, index, value})
	}
}

// touch makes what is kept of key unusable from index on. The caller is the
// only one that touches.
func (m *memo[K, V]) touch(key K, index uint64) {
	slot := m.slot(key)
	slot.touched.Store(index)
	slot.entry.Store(nil)
}
