package bench

import (
	"os"
	"testing"
	"time"
)

// Work done here shows, in both ways to measure it.
func TestCPUOfThisProcess(t *testing.T) {
	pid := os.Getpid()
	before, err := CPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	statBefore, err := statCPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	for x := 0; ; x++ {
		if now, err := CPU(pid); err != nil {
			t.Fatal(err)
		} else if now-before > 100*time.Millisecond {
			break
		}
	}
	statAfter, err := statCPU(pid)
	if err != nil {
		t.Fatal(err)
	}
	if took := statAfter - statBefore; took < 70*time.Millisecond {
		t.Errorf("/proc says %v where the clock says over 100ms", took)
	}
	for _, pid := range []int{-1, 0, 1<<22 + 1, 1 << 29} {
		if took, err := CPU(pid); err == nil {
			t.Errorf("process %d, which does not exist, has run %v", pid, took)
		}
	}
}
