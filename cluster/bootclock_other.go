//go:build !linux

package cluster

import (
	"time"

	"meridian/cluster/lease"
)

var processStart = time.Now()

// bootTime stands still while the machine is suspended, where there is no clock
// that goes on; the lease layer then notices the suspend by the wall clock.
func bootTime() lease.Instant { return time.Since(processStart) }
