package devregion

import (
	"slices"
	"strings"
)

// ServerEnvironment returns an environment in which a Go server that is neither
// idle nor busy costs less. The runtime's monitor thread sleeps while nothing runs,
// and each time it is woken polls every 20 µs for some milliseconds; a server that
// answers a few thousand calls a second is woken all the time, and has its
// goroutines moved about, too. The monitor of a program that is to print a line
// about its scheduler now and then does not sleep, but polls every 10 ms. So the
// line is asked for, once in the longest interval there is, 24 days, and at the start
// on a host that has been up for longer. An
// environment that says something about it already stays as it is. See
// docs/performance.md.
func ServerEnvironment(env []string) []string {
	const name = "GODEBUG="
	settings := ""
	for _, v := range env {
		if strings.HasPrefix(v, name) {
			settings = v // the last one counts
		}
	}
	if strings.Contains(settings, "schedtrace=") {
		return env
	}
	if settings == "" || settings == name {
		settings = name + calmMonitor
	} else {
		settings += "," + calmMonitor
	}
	return append(slices.Clip(env), settings)
}

// calmMonitor is what deploy/systemd sets, too.
const calmMonitor = "schedtrace=2147483647"
