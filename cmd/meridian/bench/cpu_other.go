//go:build !linux

package bench

import (
	"errors"
	"time"
)

// CPU is the time that a process has run; it is known on Linux only.
func CPU(int) (time.Duration, error) {
	return 0, errors.New("the CPU time of other processes is measured on Linux only")
}
