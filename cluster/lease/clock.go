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
	apart := int64(n.cfg.Clock.Wall() - now)
	moved := apart - n.apart.Load()
	return moved > int64(n.cfg.Margin) || moved < -int64(n.cfg.Margin)
}

// noteClocks drops everything that rests on the boot clock if it jumped, and
// remembers the present distance of the clocks. The caller holds mu.
func (n *Node) noteClocks(now Instant) (jumped bool) {
	jumped = n.clocksJumped(now)
	n.apart.Store(int64(n.cfg.Clock.Wall() - now))
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
