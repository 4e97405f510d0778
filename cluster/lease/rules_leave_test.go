package lease

import (
	"errors"
	"testing"
)

func TestRule13StopIsClean(t *testing.T) {
	s := leased(t)
	left := s.servers[1].lease.Leave()
	if s.servers[1].lease.MayAnswer(s.servers[1].fsm) {
		t.Error("answers after it has left")
	}
	if _, ok := s.servers[1].lease.Renew(); ok {
		t.Error("renews after it has left")
	}
	s.servers[0].lease.OnLeft(simID(1), left)
	index, outcome := s.wait(0)
	s.spread(0, 2)
	s.servers[0].lease.Await(1, index, func(err error) { *outcome = err })
	s.servers[0].lease.OnAck(simID(2), Ack{index})
	if *outcome != nil {
		t.Errorf("a write waits for a server that has left: %v", *outcome)
	}
}

// TestRule13LateGoodbye has a goodbye of an earlier process, or an earlier
// renewal, arrive after the server took another lease.
func TestRule13LateGoodbye(t *testing.T) {
	for _, tt := range []struct {
		name  string
		older func(Name) Name
	}{
		{"of an earlier process", func(n Name) Name { return Name{n.Start - 1, n.Seq + 100} }},
		{"of an earlier renewal", func(n Name) Name { return Name{n.Start, n.Seq - 1} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := leased(t)
			name := s.servers[0].lease.table.record(simID(1)).newest
			s.must(name.Start > 0 && name.Seq > 1, "1 has taken no lease")
			s.servers[0].lease.OnLeft(simID(1), Left{Term: 1, Name: tt.older(name)})
			index, outcome := s.wait(0)
			s.spread(0, 2)
			s.servers[0].lease.Await(1, index, func(err error) { *outcome = err })
			s.servers[0].lease.OnAck(simID(2), Ack{index})
			if *outcome == nil {
				t.Error("a write is released although 1 may answer from before it")
			}
		})
	}
}

// TestRule13LeaderStops has 0, which hands leadership to 2, say goodbye before 2
// has opened its term.
func TestRule13LeaderStops(t *testing.T) {
	for _, tt := range []struct {
		name string
		term uint64 // of the goodbye: 2 is that of the successor
		want bool   // it is not waited for
	}{
		{"in the successor's term", 2, true},
		{"in a term before", 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := leased(t)
			s.elect(2, 0, 1)
			left := s.servers[0].lease.Leave()
			s.must(left.Term == 2, "0 is not in the term of its successor")
			left.Term = tt.term
			s.servers[2].lease.OnLeft(simID(0), left)
			s.spread(2, 1)
			s.servers[2].open()
			s.must(s.servers[2].lease.OpenedTerm() == 2, "2 has not opened its term")
			index, outcome := s.wait(2)
			s.spread(2, 1)
			s.servers[2].lease.Await(2, index, func(err error) { *outcome = err })
			s.servers[2].lease.OnAck(simID(1), Ack{index})
			if released := *outcome == nil; released != tt.want {
				t.Errorf("released: %v, want %v (%v)", released, tt.want, *outcome)
			}
		})
	}
}

func TestRule15RemovalWaits(t *testing.T) {
	s := leased(t)
	l := s.servers[0].lease
	if err := l.MarkLeaving(simID(0)); !errors.Is(err, ErrOwnRemoval) {
		t.Errorf("a leader that removes itself: %v", err)
	}
	if ok, err := l.Removable(simID(1)); ok || err != nil {
		t.Errorf("removable without having been marked: %v, %v", ok, err)
	}
	if err := l.MarkLeaving(simID(1)); err != nil {
		t.Fatal(err)
	}
	s.tick(simLength + simMargin - 1)
	if ok, _ := l.Removable(simID(1)); ok {
		t.Error("removable while it may hold a grant")
	}
	s.tick(1)
	if ok, _ := l.Removable(simID(1)); !ok {
		t.Error("not removable after its grant has ended")
	}
}
