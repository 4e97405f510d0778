//go:build !race

package api

// raceEnabled tells whether the race detector is on.
const raceEnabled = false
