package cluster

import (
	"context"
	"sync"
	"time"

	"meridian/cluster/lease"
)

// stamps gives commands their time: the leader's wall clock, never lower than a
// stamp before it, whatever the clock does. Commands enter the log in the order
// of their stamps, because each has the turn until Raft has taken it.
//
// A stamp cannot be taken back, and what the state keeps for a time it forgets by
// stamps: nonces of writes, for one. So a wall clock that leaps forward is not
// followed before a quorum's clocks agree with it; until then time goes on at the
// pace of the boot clock.
type stamps struct {
	now  func() time.Time
	boot func() lease.Instant
	turn chan struct{} // holds one while somebody has the turn

	mu       sync.Mutex // not held while Raft is waited for
	last     int64      // Unix milliseconds
	followed bool       // the two below are known
	wall     time.Time  // where the wall clock was last followed to
	at       lease.Instant
}

func newStamps(now func() time.Time, boot func() lease.Instant) *stamps {
	return &stamps{now: now, boot: boot, turn: make(chan struct{}, 1)}
}

// follow takes a reading of the wall clock, of a moment ago, for right.
func (s *stamps) follow(wall time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wall, s.at, s.followed = wall.Round(0), s.boot(), true
}

// time is the wall clock's, unless that has leapt.
func (s *stamps) time() time.Time {
	wall, at := s.now().Round(0), s.boot()
	if s.followed {
		if paced := s.wall.Add(at - s.at); wall.Sub(paced) > clockTolerance {
			return paced
		}
	}
	s.wall, s.at, s.followed = wall, at, true
	return wall
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
	s.last = max(s.last, s.time().UnixMilli())
	return s.last, nil
}

func (s *stamps) pass() { <-s.turn }
