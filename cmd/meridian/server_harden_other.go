//go:build !linux

package main

import "golang.org/x/sys/unix"

// harden keeps the process's memory from leaving it as a core dump.
func harden() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }

// swapInUse is known on Linux only.
func swapInUse() []string { return nil }

// machineMemory is known on Linux only.
func machineMemory() int64 { return 0 }
