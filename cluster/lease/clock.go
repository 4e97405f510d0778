package lease

import "time"

// Instant is a reading of the boot clock of one server: the time since it
// booted, suspend included (CLOCK_BOOTTIME). Instants of different servers are
// never compared.
type Instant = time.Duration

// Never is an instant before all others.
const Never Instant = -1 << 62

// Clock is what the package knows of time.
type Clock interface {
	// Boot reads CLOCK_BOOTTIME.
	Boot() Instant
	// Wall reads the wall clock, in any fixed epoch. Only its movement against
	// the boot clock matters.
	Wall() time.Duration
}

// clocksJumped tells whether wall and boot clock have moved apart by more than
// the margin since the last look, as after a suspend of a virtual machine that
// stopped the boot clock (rule 1). The caller then drops what it holds.
func (n *Node) clocksJumped(now Instant) bool {
	if n.moved(int64(n.cfg.Clock.Wall()-now)) == 0 {
		return false
	}
	// The process may have been paused between the two readings.
	low, high := n.apartNow()
	return n.moved(low) > 0 || n.moved(high) < 0
}

// moved is 0 if a distance of the clocks is within the margin of the last one
// noted, else its direction.
func (n *Node) moved(apart int64) int {
	switch d := apart - n.apart.Load(); {
	case d > int64(n.cfg.Margin):
		return 1
	case d < -int64(n.cfg.Margin):
		return -1
	}
	return 0
}

// apartNow bounds the present distance of the clocks: the wall clock is read
// between two readings of the boot clock, again if a pause came in between.
func (n *Node) apartNow() (low, high int64) {
	for range 4 {
		before := n.cfg.Clock.Boot()
		wall := n.cfg.Clock.Wall()
		after := n.cfg.Clock.Boot()
		low, high = int64(wall-after), int64(wall-before)
		if high-low <= int64(n.cfg.Margin)/8 {
			break
		}
	}
	return low, high
}

// noteClocks drops everything that rests on the boot clock if it jumped, and
// remembers the present distance of the clocks. The caller holds mu.
func (n *Node) noteClocks(now Instant) (jumped bool) {
	jumped = n.clocksJumped(now)
	low, high := n.apartNow()
	n.apart.Store(low + (high-low)/2)
	if !jumped {
		return false
	}
	n.dropGrants()
	if n.table != nil {
		clear(n.table.echoes)
	}
	n.renewAt = now
	n.stats.ClockJumps++
	return true
}
