package api

import "sync/atomic"

// secondBits are the low bits of a slot: the second of its epoch (0 to 119) at which the nonce expires.
const secondBits = 7

// nonceTable is an open hash table with linear probing. Slots are only ever filled, until the whole table is dropped:
// a chain never has holes, and a reader of the file after a crash finds nothing half done. A slot of zero is free.
type nonceTable struct {
	slots []uint64 // a power of two
	used  int
	id    int
}

// newNonceTable takes memory over, counting what is in it.
func newNonceTable(slots []uint64, id int) nonceTable {
	t := nonceTable{slots: slots, id: id}
	for _, slot := range slots {
		if slot != 0 {
			t.used++
		}
	}
	return t
}

// limit is how many nonces the table takes: at five eighths chains are two slots long on average.
func (t *nonceTable) limit() int { return len(t.slots) / 8 * 5 }

// has reports whether the table holds a nonce that expires at the second oldest of its epoch or later.
func (t *nonceTable) has(h nonceHash, oldest int64) bool {
	mask := uint64(len(t.slots) - 1)
	for i := h.index & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if t.slots[i]>>secondBits == h.tag && int64(t.slots[i]&(1<<secondBits-1)) >= oldest {
			return true
		}
	}
	return false
}

// add puts a nonce in and returns what that adds to the table's sum. The table must not be at its limit.
func (t *nonceTable) add(h nonceHash, second int64) (sum uint64) {
	mask := uint64(len(t.slots) - 1)
	i := h.index & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	slot := h.tag<<secondBits | uint64(second)
	atomic.StoreUint64(&t.slots[i], slot) // not to be moved behind the store of the sum
	t.used++
	return slotSum(int(i), slot)
}

// memoryExtents keeps tables on the heap.
type memoryExtents struct{}

func (*memoryExtents) get(slots int, _ int64) ([]uint64, int, error) {
	return make([]uint64, slots), 0, nil
}
func (*memoryExtents) put(int)           {}
func (*memoryExtents) added(int, uint64) {}
func (*memoryExtents) taken(int64)       {}
func (*memoryExtents) setFloor(int64)    {}
func (*memoryExtents) close() error      { return nil }
