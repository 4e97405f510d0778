package lease

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// This file drives the simulated world at random and checks each answer.

type action uint8

const (
	actTick action = iota
	actElect
	actReplicate
	actSnapshot
	actDeliver
	actDouble
	actDrop
	actApply
	actPropose
	actChange
	actMarkLeaving
	actRemove
	actStepDown
	actRestart
	actLeave
	actOpen
	actRenew
	actRead
	actRelease
	actAck
	actSample
	actLate
	actions
)

type profile struct {
	weight [actions]int
	total  int
}

// walkProfile picks a bias, so that different walks dwell on different things.
func walkProfile(rng *rand.Rand) *profile {
	p := &profile{}
	p.weight = [actions]int{actElect: 4, actReplicate: 70, actSnapshot: 3, actDeliver: 700, actDouble: 8, actDrop: 8, actApply: 90,
		actPropose: 15, actChange: 2, actMarkLeaving: 1, actRemove: 2, actStepDown: 1, actRestart: 2, actLeave: 1, actOpen: 25,
		actRenew: 100, actRead: 140, actRelease: 50, actAck: 35, actSample: 10, actLate: 20}
	p.weight[actTick] = []int{10, 25, 60}[rng.IntN(3)]
	p.weight[actElect] = []int{1, 3, 8}[rng.IntN(3)]
	switch rng.IntN(8) {
	case 0:
		p.weight[actChange], p.weight[actMarkLeaving], p.weight[actRemove] = 20, 12, 25
	case 1:
		p.weight[actElect], p.weight[actStepDown] = 15, 4
	case 2:
		p.weight[actRestart], p.weight[actLeave] = 8, 8
	case 3:
		p.weight[actApply] = 25
	case 4, 5:
		p.weight[actTick], p.weight[actElect], p.weight[actChange] = 4, 5, 25
		p.weight[actMarkLeaving], p.weight[actRemove], p.weight[actLeave] = 4, 8, 4
	}
	for _, x := range p.weight {
		p.total += x
	}
	return p
}

// walker takes random steps. It keeps a cut, a pause and a lag for a while.
type walker struct {
	*world
	p       *profile
	side    uint8
	cut     uint8 // 0 nothing, 1 everything, 2 Raft's messages, 3 the lease layer's
	frozen  uint8
	lagging uint8
	rates   [8]Instant
}

func (v *walker) any() *server { return v.servers[v.rng.IntN(len(v.servers))] }

func (v *walker) step() {
	v.stats.steps++
	x := v.rng.IntN(v.p.total)
	a := action(0)
	for ; x >= v.p.weight[a]; a++ {
		x -= v.p.weight[a]
	}
	v.act(a)
}

func (v *walker) act(a action) {
	s := v.any()
	switch a {
	case actTick:
		v.tick()
		return
	case actDeliver, actDouble, actDrop:
		v.pass(a)
		return
	}
	if v.frozen>>s.n&1 != 0 {
		return
	}
	switch a {
	case actElect:
		s.elect()
	case actReplicate:
		s.replicate(v.any(), false)
	case actSnapshot:
		s.replicate(v.any(), true)
	case actApply:
		if v.lagging>>s.n&1 == 0 {
			s.apply()
		}
	case actPropose:
		s.propose(command, Members{})
	case actChange:
		v.change(s, v.any())
	case actStepDown:
		if s.role == leading {
			s.role = follower
		}
	case actSample:
		s.oldTerm = s.term
	}
	if s.busy {
		return
	}
	switch a {
	case actMarkLeaving:
		z := v.any()
		if s.members.has(z.id) && s.lease.MarkLeaving(z.id) == nil {
			s.leaving[z.id] = true
		}
	case actRemove:
		v.remove(s, v.any())
	case actRestart:
		s.power()
	case actLeave:
		l := s.lease.Leave()
		if to := v.any(); to != s {
			v.send(simMessage{s.n, to.n, 0, l})
		}
		s.power()
	case actOpen:
		s.open()
	case actRenew:
		v.renew(s, v.any())
	case actRead:
		s.read(v.rng.IntN(len(s.reads)))
	case actRelease:
		s.lease.Release()
	case actAck:
		if to := v.any(); to != s {
			v.send(simMessage{s.n, to.n, 0, Ack{s.fsm}})
		}
	case actLate:
		s.lease.flushLate()
	}
}

func (v *walker) tick() {
	for i, s := range v.servers {
		if v.rng.IntN(40) == 0 {
			v.rates[i] = Instant(v.rng.IntN(3)) - 1
		}
		d := simTick + v.rates[i]
		s.wall += d
		if v.rng.IntN(4000) == 0 {
			continue // the boot clock stood still, the wall clock was set right: rule 1
		}
		s.boot += d
	}
}

func (v *walker) pass(a action) {
	if len(v.messages) == 0 {
		return
	}
	i := v.rng.IntN(len(v.messages))
	if v.rng.IntN(3) > 0 {
		i = len(v.messages) - 1 - v.rng.IntN(min(4, len(v.messages)))
	}
	m := v.messages[i]
	if a != actDrop {
		apart := (v.side>>m.from^v.side>>m.to)&1 != 0
		if v.frozen>>m.to&1 != 0 || apart && (v.cut == 1 || v.cut == 2 && isRaft(m) || v.cut == 3 && !isRaft(m)) {
			return
		}
		if v.servers[m.to].busy && !isRaft(m) {
			return
		}
	}
	if a != actDouble {
		v.messages[i] = v.messages[len(v.messages)-1]
		v.messages = v.messages[:len(v.messages)-1]
	}
	if a != actDrop {
		v.deliver(m)
	}
}

func without(ids []NodeID, id NodeID) (out []NodeID) {
	for _, x := range ids {
		if x != id {
			out = append(out, x)
		}
	}
	return out
}

func (v *walker) change(s, z *server) {
	m := s.Latest()
	n := Members{Voters: without(m.Voters, z.id), NonVoters: without(m.NonVoters, z.id)}
	switch {
	case !m.has(z.id):
		n.NonVoters = append(n.NonVoters, z.id)
	case !voterIndex(m, z.id):
		n.Voters = append(n.Voters, z.id)
	case z != s:
		n.NonVoters = append(n.NonVoters, z.id)
	default:
		return
	}
	s.propose(configuration, n)
}

func (v *walker) remove(s, z *server) {
	m := s.Latest()
	if !m.has(z.id) || s == z || !s.leaving[z.id] && mutant != removeAtOnce && mutant != freshLeaderRemoves {
		return
	}
	if ok, err := s.lease.Removable(z.id); err != nil || !ok {
		return
	}
	s.propose(configuration, Members{Voters: without(m.Voters, z.id), NonVoters: without(m.NonVoters, z.id)})
}

func (s *server) open() {
	o, ok := s.lease.BeginTerm()
	if !ok || s.applied < s.noopAt && mutant != grantBeforeBarrier {
		return
	}
	s.lease.OpenTerm(o)
	clear(s.leaving)
}

func (v *walker) renew(s, to *server) {
	if to == s {
		s.lease.SelfGrant()
		return
	}
	if m, ok := s.lease.Renew(); ok {
		v.send(simMessage{s.n, to.n, 0, m})
	}
}

// read takes one of the steps of a read: begin, open the view, check and answer.
func (s *server) read(slot int) {
	w, r := s.w, &s.reads[slot]
	switch {
	case !r.active:
		*r = simRead{active: true, need: w.acked}
	case mutant == checkBeforeWork && !r.checked:
		r.checked, r.ok = true, s.lease.MayAnswer(s.fsm)
	case !r.opened:
		r.opened, r.view = true, s.fsm
	default:
		view, ok := r.view, r.ok
		if mutant == checkNodeIndex {
			view = s.fsm
		}
		if mutant != checkBeforeWork {
			ok = s.lease.MayAnswer(view)
		}
		if ok {
			w.stats.answers++
			switch {
			case r.view < r.need:
				w.bad = fmt.Sprintf("%s answered from view %d, write %d was acknowledged before the read began", s.id, r.view, r.need)
			case s.fsm < w.acked:
				w.bad = fmt.Sprintf("%s answered at index %d, write %d is acknowledged", s.id, s.fsm, w.acked)
			}
			s.lastView = r.view
		} else {
			w.stats.refusals++
		}
		*r = simRead{}
	}
}

// disturb changes what is cut, paused and lagging.
func (v *walker) disturb() {
	bit := func() uint8 { return 1 << v.rng.IntN(len(v.servers)) }
	switch v.rng.IntN(10) {
	case 0, 1:
		v.side, v.cut = uint8(v.rng.IntN(1<<len(v.servers))), uint8(1+v.rng.IntN(3))
	case 2, 3:
		v.cut = 0
	case 4:
		v.frozen = bit()
	case 5:
		v.frozen = 0
	case 6:
		v.lagging = bit()
	case 7:
		v.lagging = 0
	}
}

// together strings steps that belong together, so that deep situations come up.
func (v *walker) together() {
	s := v.any()
	if v.frozen>>s.n&1 != 0 || v.inside {
		return
	}
	settle := func(from int) {
		for i := len(v.messages); i > from && len(v.messages) > from; i-- {
			v.pass(actDeliver)
		}
	}
	k := len(v.messages)
	switch v.rng.IntN(4) {
	case 0:
		if s.elect() {
			settle(k)
			settle(k)
		}
	case 1:
		for _, to := range v.servers {
			s.replicate(to, false)
		}
		settle(k)
		for _, a := range v.servers {
			for v.lagging>>a.n&1 == 0 && v.frozen>>a.n&1 == 0 && a.apply() {
			}
		}
		s.open()
	default:
		for _, l := range v.servers {
			if l.role == leading {
				v.renew(s, l)
				settle(k)
			}
		}
	}
}

// walk runs one world from a seed; it returns what it did and, on a violation,
// what was wrong.
func walk(seed uint64, steps int) *world {
	rng := rand.New(rand.NewPCG(seed, 0))
	shape := [][3]int{{3, 3, 0}, {3, 3, 0}, {2, 2, 0}, {2, 1, 1}, {3, 2, 1}, {4, 3, 1}, {4, 3, 0}, {4, 2, 1}, {5, 5, 0}, {5, 3, 2}, {1, 1, 0}}[rng.IntN(11)]
	v := &walker{world: newWorld(rng, shape[0], shape[1], shape[2]), p: walkProfile(rng)}
	for i := range steps {
		if i%64 == 0 {
			v.disturb()
		}
		if i%9 == 0 {
			v.together()
		}
		v.step()
		if v.bad != "" {
			break
		}
	}
	return v.world
}

// settles lets everything heal and tells what then does not work, if anything:
// every server must be able to answer and every write is released.
func settles(w *world) string {
	for _, s := range w.servers {
		s.power()
	}
	w.messages, w.inside = nil, true // nothing happens beside what is done here
	var l *server
	for _, c := range w.servers {
		for _, s := range w.servers {
			c.term = max(c.term, s.term)
		}
		if c.term >= simTerms || len(c.log) > simMaxLog-3 {
			return "" // the walk's end leaves no room
		}
		if c.elect() {
			w.round(c)
		}
		if c.role == leading {
			l = c
			break
		}
	}
	if l == nil {
		return "nobody can be elected"
	}
	for range 100 {
		w.round(l)
	}
	for _, s := range w.servers {
		if l.role == leading && l.members.has(s.id) && !s.lease.MayAnswer(s.fsm) {
			return fmt.Sprintf("%s cannot answer before the first write", s.id)
		}
	}
	if l.role != leading {
		return "" // what was in its log removes the leader itself
	}
	if !l.propose(command, Members{}) {
		return "no write can be proposed"
	}
	want := uint64(len(l.log))
	for range 100 {
		w.round(l)
	}
	if w.acked < want {
		return fmt.Sprintf("write %d is not released (%d is)", want, w.acked)
	}
	for _, s := range w.servers {
		if l.members.has(s.id) && !s.lease.MayAnswer(s.fsm) {
			return fmt.Sprintf("%s cannot answer", s.id)
		}
	}
	return ""
}

// round lets every server do its duties once and delivers every message.
func (w *world) round(l *server) {
	v := &walker{world: w, p: walkProfile(w.rng)}
	for _, s := range w.servers {
		l.replicate(s, false)
		if l.role == leading && s.lease.NextRenewal() <= s.boot {
			v.renew(s, l)
		}
		if s != l {
			w.send(simMessage{s.n, l.n, 0, Ack{s.fsm}})
		}
		for s.apply() {
		}
		s.open()
		s.lease.Release()
	}
	for len(w.messages) > 0 {
		m := w.messages[0]
		w.messages = w.messages[1:]
		w.deliver(m)
	}
	for _, s := range w.servers {
		s.boot, s.wall = s.boot+10, s.wall+10
	}
}

// simWalks is how many walks to make: LEASE_WALKS, or what takes some seconds.
func simWalks(t *testing.T) int {
	if text := os.Getenv("LEASE_WALKS"); text != "" {
		walks, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return walks
	}
	if testing.Short() {
		return 400
	}
	return 4000
}

func TestNoStaleAnswer(t *testing.T) {
	walks := simWalks(t)
	var answers, acks, elections, changes uint64
	for seed := range uint64(walks) {
		w := walk(seed, 3000)
		if w.bad != "" {
			t.Fatalf("seed %d after %d steps: %s", seed, w.stats.steps, w.bad)
		}
		answers, acks = answers+w.stats.answers, acks+w.stats.acks
		elections, changes = elections+w.stats.elections, changes+w.stats.changes
		if seed%8 == 0 {
			if why := settles(w); why != "" {
				t.Fatalf("seed %d does not settle: %s", seed, why)
			}
		}
	}
	t.Logf("%d walks: %d answers, %d writes acknowledged, %d elections, %d configuration changes", walks, answers, acks, elections, changes)
	if answers == 0 || acks == 0 || elections == 0 || changes == 0 {
		t.Fatal("the walks did not do what they are for")
	}
}
