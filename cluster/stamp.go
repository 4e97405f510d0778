package cluster

import (
	"context"
	"sync"
	"time"
)

// stamps gives commands their time: the leader's wall clock, never lower than a
// stamp before it, whatever the clock does. Commands enter the log in the order
// of their stamps, because each has the turn until Raft has taken it.
type stamps struct {
	now  func() time.Time
	turn chan struct{} // holds one while somebody has the turn

	mu   sync.Mutex // not held while Raft is waited for
	last int64      // Unix milliseconds
}

func newStamps(now func() time.Time) *stamps {
	return &stamps{now: now, turn: make(chan struct{}, 1)}
}

// raise makes sure that later stamps are not below t.
func (s *stamps) raise(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.IsZero() {
		s.last = max(s.last, t.UnixMilli())
	}
}

// take waits for the turn and returns the next stamp; pass gives the turn on.
// While Raft takes nothing, on a disk that hangs, the turn does not move, and the
// wait ends with ctx.
func (s *stamps) take(ctx context.Context) (unixMs int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, s.now().UnixMilli())
	return s.last, nil
}

func (s *stamps) pass() { <-s.turn }
