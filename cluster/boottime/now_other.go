//go:build !linux

package boottime

import "time"

var processStart = time.Now()

// Now stands still while the machine is suspended, where there is no clock that
// goes on; the lease layer then notices the suspend by the wall clock.
func Now() time.Duration { return time.Since(processStart) }
