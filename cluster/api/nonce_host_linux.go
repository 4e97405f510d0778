package api

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// allocate takes blocks for size bytes of file from offset on.
func allocate(file *os.File, offset, size int64) error {
	for {
		err := unix.Fallocate(int(file.Fd()), 0, offset, size)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP):
			return writeZeros(file, offset, size)
		case err != nil:
			return fmt.Errorf("allocate: %w", err)
		}
		return nil
	}
}

// bootID names the run of the host's kernel.
func bootID() (id [40]byte, err error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	copy(id[:], bytes.TrimSpace(text))
	return id, err
}

// bootTime is when the host was started, by its wall clock.
func bootTime(now time.Time) time.Time {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return now
	}
	return now.Add(-time.Duration(since.Nano()))
}
