package api

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// maxAsymmetricWaiting bounds the asymmetric requests that wait for a slot.
const maxAsymmetricWaiting = 1024

// asymmetricSlots bounds how much asymmetric work runs at once, so that symmetric requests, a hundred times as quick,
// always find a processor.
type asymmetricSlots struct {
	free    chan struct{}
	waiting atomic.Int64
}

// newAsymmetricSlots leaves one processor to everything else, if there is more than one.
func newAsymmetricSlots() *asymmetricSlots {
	return &asymmetricSlots{free: make(chan struct{}, max(runtime.GOMAXPROCS(0)-1, 1))}
}

// take waits for a slot and returns what gives it back. One request too many does not wait.
func (s *asymmetricSlots) take(ctx context.Context) (release func(), err error) {
	select {
	case s.free <- struct{}{}:
		return s.release, nil
	default:
	}
	if s.waiting.Add(1) > maxAsymmetricWaiting {
		s.waiting.Add(-1)
		return nil, errThrottled("too many asymmetric operations wait on this node", time.Second)
	}
	defer s.waiting.Add(-1)
	return s.wait(ctx)
}

// wait waits for a slot, whoever else does.
func (s *asymmetricSlots) wait(ctx context.Context) (release func(), err error) {
	select {
	case s.free <- struct{}{}:
		return s.release, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *asymmetricSlots) release() { <-s.free }
