package boottime

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Now is the time since the host was booted, suspend included.
func Now() time.Duration {
	var t unix.Timespec
	if !mapped(&t) {
		system(&t)
	}
	return time.Duration(t.Nano())
}

// system asks the kernel. The call never blocks, so that the scheduler need not
// hear of it, which costs as much as the call itself.
func system(t *unix.Timespec) {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(t)), 0)
	if errno != 0 {
		panic("CLOCK_BOOTTIME cannot be read: " + errno.Error()) // every Linux that Go runs on has it
	}
}
