package cluster

import (
	"time"

	"meridian/cluster/lease"
)

// bootClock is the lease layer's clock.
type bootClock struct {
	boot func() lease.Instant
	wall func() time.Time
}

func (c bootClock) Boot() lease.Instant { return c.boot() }

func (c bootClock) Wall() time.Duration { return time.Duration(c.wall().UnixNano()) }
