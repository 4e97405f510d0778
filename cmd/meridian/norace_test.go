//go:build !race

package main

// buildFlags make the servers of a test as the test itself is made.
var buildFlags []string
