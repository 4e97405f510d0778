package cluster

import (
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"meridian/cluster/lease"
)

// stamps gives commands their time: the leader's wall clock, never lower than a
// stamp before it, whatever the clock does. Commands enter the log in the order
// of their stamps, because one goroutine stamps them and gives them to Raft.
//
// A stamp cannot be taken back, and what the state keeps for a time it forgets by
// stamps: nonces of writes, for one. So a wall clock that leaps forward is not
// followed before a quorum's clocks agree with it; until then time goes on at the
// pace of the boot clock.
type stamps struct {
	now  func() time.Time
	boot func() lease.Instant

	mu       sync.Mutex
	last     int64     // Unix milliseconds
	followed bool      // the two below are known
	wall     time.Time // where the wall clock was last followed to
	at       lease.Instant
}

func newStamps(now func() time.Time, boot func() lease.Instant) *stamps {
	return &stamps{now: now, boot: boot}
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

// next returns the next stamp.
func (s *stamps) next() (unixMs int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last, s.time().UnixMilli())
	return s.last
}

// stampField is the number of a command's stamp in its message.
const stampField = protowire.Number(3)

// stamped returns a copy of an encoded command with its stamp. In a message the
// last value of a field counts, so a stamp from elsewhere has no effect.
func stamped(command []byte, unixMs int64) []byte {
	const most = 11 // bytes of the field
	out := append(make([]byte, 0, len(command)+most), command...)
	out = protowire.AppendTag(out, stampField, protowire.VarintType)
	return protowire.AppendVarint(out, uint64(unixMs))
}
