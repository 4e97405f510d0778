// Package bench drives an endpoint of the API with signed requests and measures
// it. The client side is as cheap as it can be, so that a small machine measures
// the server: requests are signed before they are needed, and sent on plain
// connections by hand-written HTTP/1.1.
package bench

import (
	"math"
	"math/bits"
	"time"
)

// subBits is the precision of a Histogram: 2^subBits steps for each doubling,
// so a value is at most 0.8 % above the true one.
const subBits = 7

// Histogram counts durations in steps that grow with the value, from 1 ns to
// hours. The zero value is empty. It is not safe for concurrent use.
type Histogram struct {
	counts [(64 - subBits + 1) << subBits]uint32
	total  uint64
	sum    time.Duration
	max    time.Duration
}

// Record counts one duration; a negative one counts as zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d))]++
	h.total++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds another's counts.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Count is the number of durations.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the average duration; zero if there is none.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return h.sum / time.Duration(h.total)
}

// Quantile is the duration that the share q (0 to 1) of all stays at or below,
// by nearest rank, rounded up to its step. Zero if there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := min(max(uint64(math.Ceil(q*float64(h.total))), 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += uint64(n); seen >= rank {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return h.max
}

// bucket is the step of a value: exact below 2^subBits, then its exponent and
// the subBits bits behind the leading one.
func bucket(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// upper is the largest value of a step.
func upper(i int) uint64 {
	if i < 1<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return (uint64(i&(1<<subBits-1))+1<<subBits+1)<<shift - 1
}
