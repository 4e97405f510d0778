package cluster

import (
	"sync"
	"time"
)

// stamps gives commands their time: the leader's wall clock, never lower than a
// stamp before it, whatever the clock does.
type stamps struct {
	now func() time.Time

	mu   sync.Mutex
	last int64 // Unix milliseconds
}

// raise makes sure that later stamps are not below t.
func (s *stamps) raise(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.IsZero() {
		s.last = max(s.last, t.UnixMilli())
	}
}

// stamp calls f with the next stamp while no other stamp is given, so that
// commands enter the log in the order of their stamps.
func (s *stamps) stamp(f func(unixMs int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, s.now().UnixMilli())
	f(s.last)
}
