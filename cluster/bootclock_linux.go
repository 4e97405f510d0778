package cluster

import (
	"time"

	"golang.org/x/sys/unix"

	"meridian/cluster/lease"
)

// bootTime reads CLOCK_BOOTTIME, which goes on while the machine is suspended.
func bootTime() lease.Instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("CLOCK_BOOTTIME cannot be read: " + err.Error()) // every Linux that Go runs on has it
	}
	return time.Duration(t.Nano())
}
