//go:build race

package main

// buildFlags make the servers of a test as the test itself is made.
var buildFlags = []string{"-race"}

// hasty is false: availability is a matter of time, and the race detector takes
// several times of it.
const hasty = false

// oneByOne is false as well: a test of one process after the other has nothing that could race, and is slow to find
// that out.
const oneByOne = false
