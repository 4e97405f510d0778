package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// clockTicks is USER_HZ, in which /proc counts; 100 on every Linux that Go runs on.
const clockTicks = 100

// maxPID is the kernel's own limit (PID_MAX_LIMIT); a clock's number has room for
// no more.
const maxPID = 1 << 22

// CPU returns the time that all threads of a process have run so far, in user
// and kernel mode: from its CPU clock (clock_getcpuclockid(3)), in nanoseconds,
// and where the kernel does not show that, from /proc/PID/stat, in hundredths of
// a second.
func CPU(pid int) (time.Duration, error) {
	if pid <= 0 || pid > maxPID {
		return 0, fmt.Errorf("there is no process %d", pid)
	}
	var ts unix.Timespec
	const scheduled = 2 // CPUCLOCK_SCHED, of a process
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &ts); err == nil {
		return time.Duration(ts.Nano()), nil
	}
	return statCPU(pid)
}

func statCPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything; utime and stime are the fields 14
	// and 15, the state behind the name being field 3 (proc(5)).
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: too short", pid)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}
