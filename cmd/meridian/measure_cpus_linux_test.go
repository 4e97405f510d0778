//go:build measure

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// pin has all threads of a process run on one processor, so that what others do on this machine, which would be another's
// work elsewhere, does not empty its caches.
func pin(tb testing.TB, pid, processor int) {
	tb.Helper()
	threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = unix.SchedSetaffinity(id, only(processor))
		}
		if err != nil {
			tb.Fatal(fmt.Errorf("thread %s: %w", thread.Name(), err))
		}
	}
}

// pinned has what f starts run on one processor.
func pinned(tb testing.TB, processor int, f func()) {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		tb.Fatal(err)
	}
	if err := unix.SchedSetaffinity(0, only(processor)); err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			tb.Fatal(err)
		}
	}()
	f()
}

func only(processor int) *unix.CPUSet {
	var set unix.CPUSet
	set.Set(processor)
	return &set
}
