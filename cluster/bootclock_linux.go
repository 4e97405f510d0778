package cluster

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"meridian/cluster/lease"
)

// bootTime reads CLOCK_BOOTTIME, which goes on while the machine is suspended.
// The call never blocks, so that the scheduler need not hear of it, which costs
// as much as the call itself.
func bootTime() lease.Instant {
	var t unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		panic("CLOCK_BOOTTIME cannot be read: " + errno.Error()) // every Linux that Go runs on has it
	}
	return time.Duration(t.Nano())
}
