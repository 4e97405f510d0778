package main

import (
	"os"
	"runtime/debug"

	"meridian/cmd/meridian/config"
)

// tuneMemory sets the collector's two knobs, unless the environment does. The
// live heap of a server, and of a mover, is small, so at Go's default the
// collector would run all the time; the limit takes the danger out of a high
// setting.
func tuneMemory(m config.Memory) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(m.GOGC)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := int64(m.Limit)
	if limit == 0 {
		limit = machineMemory() / 4 * 3
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}
