//go:build race

package migrate

// raceEnabled tells whether the race detector is on.
const raceEnabled = true

// seeds is how many seeds of n are tried: with the race detector a third, for it takes several times as long.
func seeds(n int) int { return max(n/3, 1) }
