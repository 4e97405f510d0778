//go:build faults

// Package faults runs regions of real server processes, breaks them in every
// way that a machine, a disk or a network can break, and checks on the recorded
// histories of many clients that the region keeps its promises:
//
//   - no answer is older than a write that was acknowledged before it was asked for;
//   - nothing acknowledged is lost;
//   - the nodes that are not broken answer reads and cryptography all the time.
//
// scenarios_test.go holds the one table of faults. docs/faults.md shows it with
// the results of the last long run and says how to run the suite.
package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The flags of the suite.
var (
	short   = flag.Bool("faults.short", false, "few rounds of each scenario: minutes in all")
	share   = flag.Float64("faults.share", 1, "share of the rounds of the long form that are run")
	seed    = flag.Uint64("faults.seed", 0, "seed of the random choices; 0: a new one, which is printed")
	binary  = flag.String("faults.binary", "", "the meridian binary; empty: built here")
	keep    = flag.String("faults.keep", filepath.Join(os.TempDir(), "meridian-faults"), "folder for histories and server logs of failed runs")
	results = flag.String("faults.results", "", "file to which the result of each scenario is appended, as a line of JSON")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runSuite(m))
}

func runSuite(m *testing.M) int {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	if *binary == "" {
		dir, err := os.MkdirTemp("", "meridian-faults-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		*binary = filepath.Join(dir, "meridian")
		build := exec.Command("go", "build", "-o", *binary, "meridian/cmd/meridian")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "building the server:", err)
			return 1
		}
	}
	return m.Run()
}
