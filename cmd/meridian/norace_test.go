//go:build !race

package main

// buildFlags make the servers of a test as the test itself is made.
var buildFlags []string

// hasty says that tests may expect a region to be available in time.
const hasty = true

// oneByOne says that tests of what a user types are worth their time.
const oneByOne = true
