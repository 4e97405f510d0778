package api

import (
	"encoding/binary"
	"sync/atomic"
)

// Sums tell whether the file of nonces is what was written to it. They find damage, not forgery: whoever can write the
// file can do as they like.
//
// A table's sum is the exclusive or of a hash of each taken slot and its place. It is brought up to date by a single
// store right after the slot's, both by the goroutine that holds the guard's lock: a process that is killed leaves the
// sum right, or short of the one slot that was written last.

// mix is a permutation of 64 bits in which each bit of x counts (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// slotSum is what a taken slot adds to the sum of its table.
func slotSum(place int, slot uint64) uint64 { return mix(mix(uint64(place)+1) ^ slot) }

// emptySum is the sum of a table without slots; never zero, as a lost page would be.
func emptySum(epoch int64) uint64 { return max(mix(^uint64(epoch)), 1) }

// added brings the sum of a table up to date.
func (f *nonceFile) added(id int, sum uint64) {
	row := &f.head.rows[id]
	atomic.StoreUint64(&row.sum, row.sum^sum)
}

// whole reports whether a table holds every slot that its row knows of. One more than those is what a kill between the
// two stores leaves; then the sum is mended. It is provable: without that slot the sum fits, so that no other is missing.
func whole(slots []uint64, row *nonceRow) bool {
	sum := emptySum(row.epoch)
	for i, slot := range slots {
		if slot != 0 {
			sum ^= slotSum(i, slot)
		}
	}
	if sum == row.sum {
		return true
	}
	for i, slot := range slots {
		if slot != 0 && slotSum(i, slot) == sum^row.sum {
			row.sum = sum
			return true
		}
	}
	return false
}

// total is the sum over the head: all but the date of the latest request, which changes with each, and the sums of the
// tables, which stand for themselves.
func (h *nonceHead) total() uint64 {
	sum := uint64(len(h.rows))
	add := func(x uint64) { sum = mix(sum ^ x) }
	words := append(h.hashKey[:], h.boot[:]...) // copies: the array is full
	for ; len(words) >= 8; words = words[8:] {
		add(binary.NativeEndian.Uint64(words))
	}
	add(uint64(h.floor))
	for i := range h.rows {
		row := &h.rows[i]
		add(uint64(row.offset))
		add(uint64(row.slots))
		add(uint64(row.epoch))
	}
	return sum
}

// seal brings the sum of the head up to date. A process that is killed right before leaves a head that is taken for
// damaged; that takes the change of a row, of which there are some in two minutes.
func (f *nonceFile) seal() { f.head.sum = f.head.total() }
