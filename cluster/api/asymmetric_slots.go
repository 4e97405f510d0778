package api

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// maxAsymmetricWaiting bounds the asymmetric requests that wait for a slot.
	maxAsymmetricWaiting = 1024
	// queueWait is how long a request waits for a slot or a pair: with both, and a write that is held, it is answered
	// before clients that wait 15 to 30 s give up on it.
	queueWait = 6 * time.Second
)

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

// take waits for a slot, up to queueWait, and returns what gives it back. One request too many does not wait.
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
	return s.waitAWhile(ctx)
}

// waitAWhile waits for a slot, up to queueWait, however many others do.
func (s *asymmetricSlots) waitAWhile(ctx context.Context) (release func(), err error) {
	limited, cancel := context.WithTimeout(ctx, queueWait)
	defer cancel()
	if release, err = s.wait(limited); err != nil && ctx.Err() == nil {
		err = errThrottled("asymmetric operations come faster than this node does them", time.Second)
	}
	return release, err
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
