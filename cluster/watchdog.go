package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// watchTicks is how many ticks of the watchdog make the stall limit.
const watchTicks = 20

// watchdog knows every call to storage that is under way and reports one that
// takes longer than the limit. It counts its own ticks instead of reading a
// clock: while the whole process stands still there are no ticks, so a process
// that was stopped, or a machine that slept, is not taken for a hung disk.
type watchdog struct {
	limit   time.Duration
	stalled func(error)

	mu    sync.Mutex
	tick  uint64
	calls map[*storageCall]struct{}
	spare []*storageCall
}

type storageCall struct {
	name  string
	since uint64 // tick
}

func newWatchdog(limit time.Duration, stalled func(error)) *watchdog {
	return &watchdog{limit: limit, stalled: stalled, calls: make(map[*storageCall]struct{})}
}

// run ticks until ctx ends. A stall is reported once.
func (w *watchdog) run(ctx context.Context) {
	ticker := time.NewTicker(max(w.limit/watchTicks, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if name, ok := w.advance(); ok {
				w.stalled(fmt.Errorf("%w: %s has not returned for %v", ErrDisk, name, w.limit))
				return
			}
		}
	}
}

// advance makes one tick and names a call that is over the limit.
func (w *watchdog) advance() (name string, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tick++
	for call := range w.calls {
		// One more, because the first tick may come right after the call began.
		if w.tick-call.since > watchTicks {
			return call.name, true
		}
	}
	return "", false
}

// enter notes that a call begins; the caller hands what it returns to leave.
func (w *watchdog) enter(name string) *storageCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	call := new(storageCall)
	if n := len(w.spare); n > 0 {
		call, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	call.name, call.since = name, w.tick
	w.calls[call] = struct{}{}
	return call
}

func (w *watchdog) leave(call *storageCall) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.calls, call)
	w.spare = append(w.spare, call)
}
