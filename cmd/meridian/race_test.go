//go:build race

package main

// buildFlags make the servers of a test as the test itself is made.
var buildFlags = []string{"-race"}

// hasty is false: availability is a matter of time, and the race detector takes
// several times of it.
const hasty = false
