//go:build race

package store

// raceDetector says that the tests run under it, many times slower.
const raceDetector = true
