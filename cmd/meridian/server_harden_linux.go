package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// harden keeps the process's memory from leaving it as a core dump or through
// a debugger of the same user.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("core dumps cannot be switched off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the process cannot be made undumpable: %w", err)
	}
	return nil
}

// swapInUse answers the swap devices to which this process's memory could be
// written, nil if there are none or its cgroup forbids it.
func swapInUse() []string {
	if limit, err := readCgroup("memory.swap.max"); err == nil && limit == "0" {
		return nil
	}
	f, err := os.Open("/proc/swaps")
	if err != nil {
		return nil // no /proc: nothing is known
	}
	defer f.Close()
	var devices []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if device, _, _ := strings.Cut(lines.Text(), " "); device != "" && device != "Filename" && !strings.HasPrefix(device, "Filename\t") {
			devices = append(devices, device)
		}
	}
	return devices
}

// machineMemory is what the process may use, in bytes: its cgroup's limit, else
// the machine's memory. 0: unknown.
func machineMemory() int64 {
	if text, err := readCgroup("memory.max"); err == nil {
		var limit int64
		if _, err := fmt.Sscan(text, &limit); err == nil && limit > 0 {
			return limit
		}
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// readCgroup reads a value of this process's cgroup (version 2), without the
// line end.
func readCgroup(name string) (string, error) {
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(self)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", path, name))
			return strings.TrimSpace(string(text)), err
		}
	}
	return "", os.ErrNotExist
}
