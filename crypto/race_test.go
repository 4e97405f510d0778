//go:build race

package crypto

// raceDetector: in a build with -race a sync.Pool drops what it gets at random.
const raceDetector = true
