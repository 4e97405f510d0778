//go:build race

package migrate

// raceEnabled tells whether the race detector is on.
const raceEnabled = true
