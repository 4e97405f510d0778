package cluster

import (
	"context"
	"sync"
	"sync/atomic"
)

// indexWatch publishes an index that only rises and lets callers wait for it.
type indexWatch struct {
	value atomic.Uint64

	mu      sync.Mutex
	waiting chan struct{} // closed at the next rise; nil: nobody waits
}

// advance publishes an index; one that is not above the last is ignored.
func (w *indexWatch) advance(index uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if index <= w.value.Load() {
		return
	}
	w.value.Store(index)
	if w.waiting != nil {
		close(w.waiting)
		w.waiting = nil
	}
}

// wait returns nil once the index is reached, or the error of ctx.
func (w *indexWatch) wait(ctx context.Context, index uint64) error {
	for w.value.Load() < index {
		w.mu.Lock()
		if w.value.Load() >= index {
			w.mu.Unlock()
			return nil
		}
		if w.waiting == nil {
			w.waiting = make(chan struct{})
		}
		rise := w.waiting
		w.mu.Unlock()
		select {
		case <-rise:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
