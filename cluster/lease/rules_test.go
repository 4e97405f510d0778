package lease

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// leased is a world of three voters in which all hold a grant of server 0.
func leased(t *testing.T) *script {
	t.Helper()
	s := newScript(t, 3, 3, 0)
	for range 3 {
		for n := range 3 {
			s.renewal(n, 0)
		}
	}
	for _, x := range s.servers {
		if !x.lease.MayAnswer(x.fsm) {
			t.Fatalf("%s holds no grant", x.id)
		}
	}
	return s
}

// propose makes a write that waits, and tells how it ends.
func (s *script) wait(leader int) (index uint64, outcome *error) {
	s.t.Helper()
	x := s.servers[leader]
	s.must(x.propose(command, Members{}), "cannot propose")
	index = uint64(len(x.log))
	delete(x.pending, index) // this test waits for it, not the world
	outcome = new(error)
	*outcome = errWaiting
	return index, outcome
}

var errWaiting = errors.New("still waiting")

func TestRule1ClockJumpDropsEverything(t *testing.T) {
	for name, jump := range map[string]func(x *server){
		"boot clock jumps ahead":  func(x *server) { x.boot += simMargin + 1 },
		"boot clock stood still":  func(x *server) { x.wall += simMargin + 1 },
		"wall clock is set back":  func(x *server) { x.wall -= time.Hour },
		"wall clock is set ahead": func(x *server) { x.wall += 100 * time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			s := leased(t)
			late, _ := s.servers[1].lease.Renew()
			g, ok := s.servers[0].lease.OnRenew(simID(1), late)
			s.must(ok, "no grant")
			jump(s.servers[1])
			if s.servers[1].lease.MayAnswer(s.servers[1].fsm) {
				t.Error("answers under a grant from before the jump")
			}
			s.servers[1].lease.OnGrant(g)
			if s.servers[1].lease.MayAnswer(s.servers[1].fsm) {
				t.Error("takes a grant for a renewal from before the jump")
			}
			if at := s.servers[1].lease.NextRenewal(); at > s.servers[1].boot {
				t.Error("does not renew at once")
			}
			s.renewal(1, 0)
			if !s.servers[1].lease.MayAnswer(s.servers[1].fsm) {
				t.Error("does not answer under a grant from after the jump")
			}
		})
	}
	t.Run("within the margin", func(t *testing.T) {
		s := leased(t)
		s.servers[1].wall += simMargin
		if !s.servers[1].lease.MayAnswer(s.servers[1].fsm) {
			t.Error("a movement of no more than the margin drops the grants")
		}
	})
	t.Run("leader forgets its echoes", func(t *testing.T) {
		s := leased(t)
		s.servers[0].wall += time.Hour
		s.servers[0].lease.SelfGrant()
		if s.servers[0].lease.MayAnswer(s.servers[0].fsm) {
			t.Error("the leader grants itself a lease by echoes from before the jump")
		}
	})
}

// pausedClock lets the process stand still between two readings of its clocks.
type pausedClock struct {
	*server
	pause time.Duration // at the next reading of the wall clock
}

func (c *pausedClock) Wall() time.Duration {
	c.boot, c.wall, c.pause = c.boot+c.pause, c.wall+c.pause, 0
	return c.wall
}

func TestRule1PauseIsNoJump(t *testing.T) {
	s := leased(t)
	x := s.servers[1]
	clock := &pausedClock{server: x}
	x.lease.cfg.Clock = clock
	clock.pause = 2 * simMargin
	if !x.lease.MayAnswer(x.fsm) {
		t.Error("a pause between two readings is taken for a jump of the clocks")
	}
	clock.pause = 2 * simMargin
	if _, ok := x.lease.Renew(); !ok || x.lease.stats.ClockJumps != 0 || !x.lease.Live() {
		t.Error("a pause while renewing is taken for a jump of the clocks")
	}
}

func TestRule2LateRenewalsAreIgnored(t *testing.T) {
	s := leased(t)
	early, _ := s.servers[1].lease.Renew()
	s.renewal(1, 0)
	if _, ok := s.servers[0].lease.OnRenew(simID(1), early); ok {
		t.Error("an overtaken renewal is answered")
	}
	last, _ := s.servers[1].lease.Renew()
	if _, ok := s.servers[0].lease.OnRenew(simID(1), last); !ok {
		t.Error("the newest renewal is not answered")
	}
	if _, ok := s.servers[0].lease.OnRenew(simID(1), last); ok {
		t.Error("a doubled renewal is answered")
	}
	s.servers[1].power()
	first, _ := s.servers[1].lease.Renew()
	if _, ok := s.servers[0].lease.OnRenew(simID(1), first); !ok {
		t.Error("the first renewal of a later process is not answered")
	}
}

func TestRule3LeaseCountsFromTheSending(t *testing.T) {
	s := newScript(t, 3, 3, 0)
	s.renewal(1, 0)
	s.renewal(2, 0)
	m, _ := s.servers[1].lease.Renew()
	sent := s.servers[1].boot
	s.tick(50)
	g, ok := s.servers[0].lease.OnRenew(simID(1), m)
	s.must(ok && g.Length > 0, "no grant")
	s.tick(50)
	s.servers[1].lease.OnGrant(g)
	if end := s.servers[1].lease.Until(); end > sent+simLength {
		t.Errorf("the lease ends %v after the renewal was sent, %v is allowed", end-sent, time.Duration(simLength))
	}
}

func TestRule4ForgottenRenewalsBringNoGrant(t *testing.T) {
	s := newScript(t, 3, 3, 0)
	s.renewal(1, 0)
	m, _ := s.servers[1].lease.Renew()
	g, _ := s.servers[0].lease.OnRenew(simID(1), m)
	for range 16 {
		s.servers[1].lease.Renew()
	}
	s.servers[1].lease.OnGrant(g)
	if s.servers[1].lease.Live() {
		t.Error("a grant is counted from a sending that the holder has forgotten")
	}
}

func TestRule5NoAuthorityWithoutAQuorum(t *testing.T) {
	s := leased(t)
	s.tick(simLength)
	s.servers[0].lease.SelfGrant()
	if s.servers[0].lease.MayAnswer(s.servers[0].fsm) {
		t.Error("a leader answers although no quorum has echoed for a whole lease")
	}
}

func TestRule7EmptyGrantIsOnlyEchoed(t *testing.T) {
	s := leased(t)
	s.must(s.servers[0].lease.MarkLeaving(simID(1)) == nil, "not the leader")
	s.tick(simLength - 1)
	s.renewal(2, 0)
	m, _ := s.servers[1].lease.Renew()
	g, ok := s.servers[0].lease.OnRenew(simID(1), m)
	if !ok || g.Length != 0 {
		t.Fatalf("a leaving server gets %+v, %v", g, ok)
	}
	s.servers[1].lease.OnGrant(g)
	s.tick(1)
	if s.servers[1].lease.Live() {
		t.Error("an empty grant lets the holder answer")
	}
	if at := s.servers[1].lease.NextRenewal(); at > s.servers[1].boot+emptyGrantRetry {
		t.Error("the holder does not ask again soon")
	}
}

func TestRule8EndAndViewBothCount(t *testing.T) {
	s := leased(t)
	s.tick(10)
	s.write(0, 1, 2)
	s.renewal(2, 0)
	s.renewal(2, 0) // echoes the new time
	s.renewal(1, 0)
	x := s.servers[1]
	s.tick(simLength - 1)
	if !x.lease.MayAnswer(x.fsm) {
		t.Error("refuses one unit before the end")
	}
	if x.lease.MayAnswer(x.fsm - 1) {
		t.Error("answers from a view older than c, under an ended grant of lower c")
	}
	if !x.lease.Live() {
		t.Error("a view that is too old must not look like a lease that is over")
	}
	s.tick(1)
	if x.lease.MayAnswer(x.fsm) {
		t.Error("answers at the very end of its grant")
	}
}

func TestRule10WritesWaitForHolders(t *testing.T) {
	s := leased(t)
	index, outcome := s.wait(0)
	s.spread(0, 1, 2)
	s.servers[0].lease.Await(1, index, func(err error) { *outcome = err })
	if *outcome == nil {
		t.Fatal("released before any ack")
	}
	s.servers[0].lease.OnAck(simID(1), Ack{index})
	if *outcome == nil {
		t.Fatal("released while a holder has not applied it")
	}
	s.servers[0].lease.OnAck(simID(2), Ack{index - 1})
	if *outcome == nil {
		t.Fatal("released by an ack of an earlier write")
	}
	s.servers[0].lease.OnAck(simID(2), Ack{index})
	if *outcome != nil {
		t.Fatalf("not released after the last ack: %v", *outcome)
	}
}

func TestRule10SilentHolderIsWaitedForOnce(t *testing.T) {
	s := leased(t)
	index, outcome := s.wait(0)
	s.spread(0, 1)
	s.servers[0].lease.Await(1, index, func(err error) { *outcome = err })
	s.servers[0].lease.OnAck(simID(1), Ack{index})
	at, ok := s.servers[0].lease.NextRelease()
	if !ok || at > s.servers[0].boot+simLength+simMargin {
		t.Fatalf("the next look is due at %v, %v; D + m after now is %v", at, ok, s.servers[0].boot+simLength+simMargin)
	}
	s.tick(at - s.servers[0].boot - 1)
	s.servers[0].lease.Release()
	if *outcome == nil {
		t.Fatal("released before the silent holder's grant has ended")
	}
	s.tick(1)
	s.servers[0].lease.Release()
	if *outcome != nil {
		t.Fatalf("not released at the end of the grant: %v", *outcome)
	}
}

func TestRule10WritesOfAnotherTermAreUnknown(t *testing.T) {
	s := leased(t)
	var err error
	s.servers[0].lease.Await(2, 9, func(e error) { err = e })
	if !errors.Is(err, ErrUnknown) {
		t.Errorf("a write of a term without a table ends with %v", err)
	}
	index, outcome := s.wait(0)
	s.servers[0].lease.Await(1, index, func(err error) { *outcome = err })
	s.servers[0].role = follower
	s.lead(0, 1)
	if !errors.Is(*outcome, ErrUnknown) {
		t.Errorf("a write that waits in a table that is replaced ends with %v", *outcome)
	}
}

func TestRule10SingleServerNeverWaits(t *testing.T) {
	s := newScript(t, 1, 1, 0)
	for range 2 {
		index, outcome := s.wait(0)
		s.applyAll(0)
		s.servers[0].lease.Await(s.servers[0].term, index, func(err error) { *outcome = err })
		if *outcome != nil {
			t.Fatalf("the write of a single server waits: %v", *outcome)
		}
		s.servers[0].lease.SelfGrant()
		if !s.servers[0].lease.MayAnswer(s.servers[0].fsm) {
			t.Fatal("a single server cannot answer")
		}
		s.servers[0].power() // once more after a restart
		s.lead(0)
	}
}

func TestRule11NewLeaderWaitsForOldHolders(t *testing.T) {
	s := leased(t)
	s.lead(1, 2)
	won := s.servers[1].boot
	index, outcome := s.wait(1)
	s.spread(1, 2)
	s.servers[1].lease.Await(2, index, func(err error) { *outcome = err })
	s.servers[1].lease.OnAck(simID(2), Ack{index})
	if *outcome == nil {
		t.Fatal("released although the old leader may hold a grant")
	}
	s.tick(simLength + simMargin - (s.servers[1].boot - won) - 1)
	s.servers[1].lease.Release()
	if *outcome == nil {
		t.Fatal("released before D + m have passed")
	}
	s.tick(1)
	s.servers[1].lease.Release()
	if *outcome != nil {
		t.Fatalf("not released after D + m: %v", *outcome)
	}
}

func TestRule12ShortensTheWait(t *testing.T) {
	s := leased(t)
	s.tick(simLength + simMargin) // the configuration is old, and so are the grants
	kept := s.servers[1].boot
	for n := range 3 {
		s.renewal(n, 0)
	}
	s.tick(100)
	s.lead(1, 2)
	index, outcome := s.wait(1)
	s.spread(1, 2)
	s.servers[1].lease.Await(2, index, func(err error) { *outcome = err })
	s.renewal(2, 1)
	s.servers[1].lease.OnAck(simID(2), Ack{index})
	at, ok := s.servers[1].lease.NextRelease()
	if !ok || at != kept+simLength+simMargin {
		t.Errorf("the wait ends at %v, %v; D + m after the last grant that a quorum kept is %v", at, ok, kept+simLength+simMargin)
	}
}

func TestRule16LaggardsGetNoLease(t *testing.T) {
	s := leased(t)
	s.write(0, 2)
	s.tick(simLength)
	s.renewal(2, 0)
	s.renewal(2, 0)
	s.renewal(1, 0) // its applied index was enough for what the leader had before the write
	s.renewal(1, 0)
	s.tick(simLength)
	s.renewal(2, 0)
	s.renewal(1, 0)
	if s.servers[1].lease.Live() {
		t.Error("a server that does not apply what the leader has applied still gets leases")
	}
	s.replicate(0, 1)
	s.applyAll(1)
	s.renewal(1, 0)
	if !s.servers[1].lease.MayAnswer(s.servers[1].fsm) {
		t.Error("a server that has caught up gets no lease")
	}
}

func TestRule17SuspendedLeaderGrantsNothing(t *testing.T) {
	s := leased(t)
	quiet, err := s.servers[0].lease.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	s.tick(quiet - s.servers[0].boot)
	for n := range 3 {
		s.renewal(n, 0)
		if s.servers[n].lease.Live() {
			t.Errorf("%s holds a grant when all must be quiet", s.servers[n].id)
		}
	}
	s.servers[0].lease.Resume()
	for range 2 {
		s.renewal(1, 0)
	}
	if !s.servers[1].lease.Live() {
		t.Error("no grants after the end of the suspension")
	}
}

func TestFirstLeaseBeforeAnyCommand(t *testing.T) {
	s := newScript(t, 3, 3, 0)
	for range 3 {
		for n := range 3 {
			s.renewal(n, 0)
		}
	}
	for _, x := range s.servers {
		if !x.lease.MayAnswer(x.fsm) {
			t.Errorf("%s cannot answer in a region without a command", x.id)
		}
	}
}

func TestTwoServersOneKilled(t *testing.T) {
	s := newScript(t, 2, 2, 0)
	for range 3 {
		s.renewal(1, 0)
		s.renewal(0, 0)
	}
	s.tick(simLength)
	s.renewal(0, 0)
	if s.servers[0].lease.Live() {
		t.Error("a leader without its only follower answers after D")
	}
}

func TestReadsGoOnThroughAnElection(t *testing.T) {
	s := leased(t)
	for n := range 3 {
		s.renewal(n, 0)
	}
	s.tick(simLength / 2) // the old leader is gone; two heartbeats later another is elected
	s.lead(1, 2)
	for _, n := range []int{1, 2} {
		if !s.servers[n].lease.MayAnswer(s.servers[n].fsm) {
			t.Errorf("%s refuses right after the election", s.servers[n].id)
		}
	}
	for range 2 {
		s.renewal(2, 1)
		s.renewal(1, 1)
	}
	s.tick(simLength / 2)
	for _, n := range []int{1, 2} {
		if !s.servers[n].lease.MayAnswer(s.servers[n].fsm) {
			t.Errorf("%s refuses under the new leader's grants", s.servers[n].id)
		}
	}
}

func TestConfigReportsEveryMistake(t *testing.T) {
	_, err := New(Config{Renewal: time.Second, Length: time.Second, Margin: -1})
	if err == nil {
		t.Fatal("an empty configuration is taken")
	}
	for _, want := range []string{"Self", "Start", "Margin", "Renewal", "Clock"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
}

func BenchmarkMayAnswer(b *testing.B) {
	s := newScript(b, 3, 3, 0)
	for range 3 {
		for n := range 3 {
			s.renewal(n, 0)
		}
	}
	x := s.servers[1]
	b.ReportAllocs()
	for b.Loop() {
		if !x.lease.MayAnswer(x.fsm) {
			b.Fatal("refused")
		}
	}
}
