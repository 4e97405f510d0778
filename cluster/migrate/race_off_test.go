//go:build !race

package migrate

// raceEnabled tells whether the race detector is on.
const raceEnabled = false

// seeds is how many seeds of n are tried.
func seeds(n int) int { return n }
