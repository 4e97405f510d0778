package boottime

import (
	"io"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Both ways read one clock.
func TestNowIsTheKernels(t *testing.T) {
	asked := func() time.Duration {
		var s unix.Timespec
		system(&s)
		return time.Duration(s.Nano())
	}
	for range 1000 {
		if before, now, after := asked(), Now(), asked(); now < before || now > after {
			t.Fatalf("%v, not from %v to %v", now, before, after)
		}
	}
	var s unix.Timespec
	if !mapped(&s) {
		t.Skip("the kernel maps no clock that can be read without a system call")
	}
}

// The clock is read while the collector moves stacks, the scheduler preempts and
// a profiler interrupts, from goroutines with the smallest stacks.
func TestNowUnderInterruption(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer pprof.StopCPUProfile()
	end := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			last := Now()
			for time.Now().Before(end) {
				done := make(chan time.Duration)
				go func() {
					var at time.Duration
					for range 100 {
						at = Now()
					}
					done <- at
				}()
				at := <-done
				if at < last {
					t.Errorf("the clock went back from %v to %v", last, at)
					return
				}
				last = at
			}
		})
	}
	for time.Now().Before(end) {
		runtime.GC()
	}
	wg.Wait()
}

func TestNowAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Now() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}

func BenchmarkSystem(b *testing.B) {
	var t unix.Timespec
	for b.Loop() {
		system(&t)
	}
}
