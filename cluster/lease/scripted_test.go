package lease

import (
	"math/rand/v2"
	"testing"
)

// The mistakes tried here are too rare for random schedules to be relied on:
// each has a schedule of its own. With the rules as they stand none of these
// schedules gives a stale answer; sim_mutants_test.go shows that each does with
// the mistake that it is named for.

// script is a world whose every step is chosen.
type script struct {
	*world
	t testing.TB
}

func newScript(t testing.TB, servers, voters, others int) *script {
	w := newWorld(rand.New(rand.NewPCG(1, 1)), servers, voters, others)
	w.inside = true // nothing happens beside what the script says
	s := &script{w, t}
	for _, x := range w.servers {
		x.commit = min(2, uint64(len(x.log)))
	}
	s.servers[0].open()
	return s
}

func (s *script) must(ok bool, what string) {
	s.t.Helper()
	if !ok {
		s.t.Fatal("the schedule is broken: " + what)
	}
}

// tick lets the clocks run.
func (s *script) tick(d Instant) {
	for _, x := range s.servers {
		x.boot, x.wall = x.boot+d, x.wall+d
	}
}

// take removes the newest message from one server to another from the network.
func (s *script) take(from, to int) simMessage {
	s.t.Helper()
	for i := len(s.messages) - 1; i >= 0; i-- {
		if m := s.messages[i]; m.from == from && m.to == to {
			s.messages = append(s.messages[:i], s.messages[i+1:]...)
			return m
		}
	}
	s.t.Fatalf("the schedule is broken: no message from %d to %d", from, to)
	return simMessage{}
}

// renewal is one whole exchange between a holder and a leader.
func (s *script) renewal(holder, leader int) {
	s.t.Helper()
	if holder == leader {
		s.servers[holder].lease.SelfGrant()
		return
	}
	m, ok := s.servers[holder].lease.Renew()
	s.must(ok, "no renewal")
	if g, ok := s.servers[leader].lease.OnRenew(simID(holder), m); ok {
		s.servers[holder].lease.OnGrant(g)
	}
}

// replicate brings a server's log up to the leader's, and its answer back.
func (s *script) replicate(leader, to int) {
	s.t.Helper()
	s.must(s.servers[leader].replicate(s.servers[to], false), "not the leader, or not a server")
	s.deliver(s.take(leader, to))
	s.deliver(s.take(to, leader))
}

func (s *script) applyAll(n int) {
	for s.servers[n].apply() {
	}
}

// elect makes a server the leader by the votes of the named ones.
func (s *script) elect(n int, voters ...int) {
	s.t.Helper()
	s.must(s.servers[n].elect(), "cannot stand for election")
	for _, v := range voters {
		s.deliver(s.take(n, v))
		s.deliver(s.take(v, n))
	}
	s.must(s.servers[n].role == leading, "not elected")
}

// lead elects a server, commits its no-op with the voters and opens its term.
func (s *script) lead(n int, voters ...int) {
	s.t.Helper()
	s.elect(n, voters...)
	s.spread(n, voters...)
	s.servers[n].open()
	s.must(s.servers[n].lease.OpenedTerm() == s.servers[n].term, "term not open")
}

// spread replicates to the named servers, twice so that they learn the commit.
func (s *script) spread(leader int, to ...int) {
	s.t.Helper()
	for range 2 {
		for _, x := range to {
			s.replicate(leader, x)
		}
		s.applyAll(leader)
	}
	for _, x := range to {
		s.applyAll(x)
	}
}

// write proposes a command, commits it with the named servers and acks it from
// them.
func (s *script) write(leader int, to ...int) {
	s.t.Helper()
	s.must(s.servers[leader].propose(command, Members{}), "cannot propose")
	s.spread(leader, to...)
	for _, x := range to {
		s.servers[leader].lease.OnAck(simID(x), Ack{s.servers[x].fsm})
	}
	s.servers[leader].lease.Release()
}

// answer lets a server read, and fails nothing by itself: a stale answer is
// noted in bad.
func (s *script) answer(n int) {
	for range 4 {
		s.servers[n].read(0)
		if !s.servers[n].reads[0].active {
			return
		}
	}
}

// scripts names a schedule for each mistake.
var scripts = map[mutation]func(t testing.TB) *world{
	// 0 leads; 1 votes for 2, then takes grants of 0 by the term it had read
	// before, and 0 and 1 renew each other beside the new leader.
	termBeforeReceipt: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.renewal(1, 0)
		s.renewal(1, 0)
		s.servers[1].oldTerm = 1
		s.lead(2, 1)
		for range 3 {
			s.tick(40)
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		s.tick(simLength + simMargin - 120)
		s.write(2, 1)
		s.answer(0)
		return s.world
	},
	// As above, by a holder that does not look at its term at all.
	echoWithoutTerm: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.renewal(1, 0)
		s.renewal(1, 0)
		s.lead(2, 1)
		for range 3 {
			s.tick(40)
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		s.tick(simLength + simMargin - 120)
		s.write(2, 1)
		s.answer(0)
		return s.world
	},
	// A renewal of 1 is under way while 1 votes for 2; 0 takes its arrival for
	// proof that it still leads.
	authorityAtReceipt: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.renewal(1, 0)
		late, ok := s.servers[1].lease.Renew()
		s.must(ok, "no renewal")
		s.lead(2, 1)
		s.tick(120)
		s.servers[0].lease.OnRenew(simID(1), late)
		s.renewal(0, 0)
		s.tick(simLength + simMargin - 120)
		s.write(2, 1)
		s.answer(0)
		return s.world
	},
	// 1 stops, starts and is granted anew; then its goodbye arrives.
	leftEndsNewer: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.renewal(1, 0)
		left := s.servers[1].lease.Leave()
		s.servers[1].power()
		for range 3 {
			s.renewal(2, 0)
			s.renewal(1, 0)
		}
		s.servers[0].lease.OnLeft(simID(1), left)
		s.write(0, 2)
		s.answer(1)
		return s.world
	},
	// 1 restarts after it has echoed for 0, and elects 2.
	fastRestartGreatAge: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.tick(4 * simLength)
		for range 3 {
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		s.servers[1].power()
		s.lead(2, 1)
		s.renewal(1, 2)
		s.write(2, 1)
		s.answer(0)
		return s.world
	},
	// 1 has just won and has no grant of its own recorded for 0.
	freshLeaderRemoves: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		for range 2 {
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		s.lead(1, 2)
		s.must(s.servers[1].lease.MarkLeaving(simID(0)) == nil, "not the leader")
		ok, err := s.servers[1].lease.Removable(simID(0))
		s.must(err == nil, "not the leader")
		if !ok {
			return s.world
		}
		m := s.servers[1].Latest()
		s.must(s.servers[1].propose(configuration, Members{Voters: without(m.Voters, simID(0))}), "no removal")
		s.spread(1, 2)
		s.lead(2, 1)
		s.write(2, 1)
		s.answer(0)
		return s.world
	},
	// 0's state machine stands still while 3 and 4 become voters; 0 and 1 are a
	// quorum of what it has applied, 2, 3 and 4 elect another leader.
	authorityOverApplied: func(t testing.TB) *world {
		s := newScript(t, 5, 3, 2)
		old := s.servers[0].members
		for _, z := range []int{3, 4} {
			m := s.servers[0].Latest()
			s.must(s.servers[0].propose(configuration, Members{Voters: append(append([]NodeID{}, m.Voters...), simID(z)), NonVoters: without(m.NonVoters, simID(z))}), "no change")
			for _, x := range []int{2, 3, 4} {
				s.replicate(0, x)
			}
		}
		s.spreadNoApply(0, 2, 3, 4)
		s.must(s.servers[0].members.Index == old.Index, "0 has applied")
		s.lead(2, 3, 4)
		for range 4 {
			s.tick(40)
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		s.tick(simLength + simMargin - 160)
		s.write(2, 3, 4)
		s.answer(0)
		return s.world
	},
	// The removal of 1 is proposed and not applied at 0; 1 renews; 2 is elected,
	// does not know 1 and releases.
	grantDuringRemoval: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		for range 2 {
			s.renewal(1, 0)
			s.renewal(2, 0)
		}
		s.must(s.servers[0].lease.MarkLeaving(simID(1)) == nil, "not the leader")
		s.tick(simLength + simMargin)
		s.renewal(2, 0)
		s.renewal(2, 0)
		ok, err := s.servers[0].lease.Removable(simID(1))
		s.must(ok && err == nil, "not removable")
		m := s.servers[0].Latest()
		s.must(s.servers[0].propose(configuration, Members{Voters: without(m.Voters, simID(1))}), "no removal")
		s.replicate(0, 2)
		s.renewal(1, 0)
		s.renewal(1, 0)
		s.lead(2, 0)
		s.write(2, 0)
		s.answer(1)
		return s.world
	},
	// 3 is added by 0, which does not reach anybody else; 1 is elected without
	// knowing of 3.
	grantUncommitted: func(t testing.TB) *world {
		s := newScript(t, 4, 3, 0)
		m := s.servers[0].Latest()
		s.must(s.servers[0].propose(configuration, Members{Voters: m.Voters, NonVoters: []NodeID{simID(3)}}), "no change")
		s.replicate(0, 3)
		s.applyAll(3)
		for range 3 {
			s.renewal(3, 0)
			s.renewal(1, 0)
			s.renewal(2, 0)
		}
		s.lead(1, 2)
		s.spread(1, 0)
		s.tick(1)
		s.write(1, 0, 2)
		s.answer(3)
		return s.world
	},
	// 1 says goodbye to 0's term, comes back and is granted anew by 0; 2 is
	// elected and the goodbye arrives there.
	leftOfOlderTerm: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.renewal(1, 0)
		left := s.servers[1].lease.Leave()
		s.servers[1].power()
		s.renewal(2, 0)
		for range 2 {
			s.renewal(1, 0)
		}
		s.lead(2, 0)
		s.servers[2].lease.OnLeft(simID(1), left)
		s.write(2, 0)
		s.answer(1)
		return s.world
	},
	// 1 is cut off from the new leader's log; its renewal of the old term, made
	// before it kept that term's grants, arrives at the new leader 2.
	fastAgeOfOlderTerm: func(t testing.TB) *world {
		s := newScript(t, 3, 3, 0)
		s.tick(4 * simLength)
		late, ok := s.servers[1].lease.Renew()
		s.must(ok, "no renewal")
		for range 3 {
			s.tick(10)
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		s.lead(2, 1)
		s.servers[2].lease.OnRenew(simID(1), late)
		s.write(2, 1)
		s.answer(0)
		return s.world
	},
	// Two configuration changes within one lease: the voters that elect and
	// report share none with those that granted.
	fastOverNewConfiguration: func(t testing.TB) *world {
		s := newScript(t, 5, 3, 2)
		s.tick(4 * simLength)
		for range 2 {
			s.renewal(1, 0)
			s.renewal(0, 0)
		}
		for _, z := range []int{3, 4} {
			m := s.servers[0].Latest()
			s.must(s.servers[0].propose(configuration, Members{Voters: append(append([]NodeID{}, m.Voters...), simID(z)), NonVoters: without(m.NonVoters, simID(z))}), "no change")
			s.spread(0, 2, 3, 4)
		}
		s.lead(2, 3, 4)
		for range 2 {
			s.renewal(3, 2)
			s.renewal(4, 2)
		}
		s.write(2, 3, 4)
		s.answer(0)
		s.answer(1)
		return s.world
	},
}

// spreadNoApply tells servers of the commit without the leader applying it.
func (s *script) spreadNoApply(leader int, to ...int) {
	s.t.Helper()
	for _, x := range to {
		s.replicate(leader, x)
		s.applyAll(x)
	}
}

func TestScripts(t *testing.T) {
	for m, run := range scripts {
		t.Run(string(m), func(t *testing.T) {
			if w := run(t); w.bad != "" {
				t.Fatal(w.bad)
			}
		})
	}
}
