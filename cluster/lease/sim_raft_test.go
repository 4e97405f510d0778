package lease

import (
	"math/rand/v2"
	"time"
)

// This file holds the simulated world that the real lease code runs in: an
// abstract Raft with whole-log replication, a network that may lose, double,
// delay and reorder, processes that stop, pause and restart, clocks that run at
// different rates. Nothing in it waits for real time.

const (
	simTick   = 40 // clock units in a tick at the nominal rate
	simLength = 240
	simMargin = 30
	simMaxLog = 60
	simTerms  = 40
)

type role uint8

const (
	follower role = iota
	candidate
	leading
)

type kind uint8

const (
	noop kind = iota
	command
	configuration
)

type entry struct {
	term    uint64
	kind    kind
	members Members
}

// simMessage is anything on the wire: one of the payloads of the lease layer, or
// one of Raft's.
type simMessage struct {
	from, to int
	term     uint64
	payload  any
}

type (
	voteAsked struct{ lastIndex, lastTerm uint64 }
	voteGiven struct{}
	appending struct {
		log      []entry
		commit   uint64
		snapshot bool
	}
	appended struct{ match uint64 }
)

// server is one simulated process with its disk.
type server struct {
	w  *world
	id NodeID
	n  int

	// on disk
	term    uint64
	voted   int
	log     []entry
	applied uint64
	fsm     uint64
	members Members
	start   uint64

	// in memory
	role     role
	commit   uint64
	votes    map[int]bool
	match    []uint64
	noopAt   uint64
	pending  map[uint64]uint64 // writes proposed here: index to term
	since    Instant
	oldTerm  uint64 // a stale reading of the term, for a mutant
	reads    [2]simRead
	lease    *Node
	busy     bool // inside a call of the lease layer: none other may be made
	boot     Instant
	wall     time.Duration
	leaving  map[NodeID]bool
	lastView uint64 // of the last answer
}

type simRead struct {
	active, opened, checked, ok bool
	need, view                  uint64
}

type world struct {
	rng      *rand.Rand
	servers  []*server
	messages []simMessage
	commited []entry
	acked    uint64 // highest index acknowledged to a caller
	bad      string
	stats    struct{ answers, refusals, acks, elections, steps, changes uint64 }
	inside   bool // steps are being run from inside the lease layer
}

func simID(n int) NodeID { return NodeID(rune('a' + n)) }

func (s *server) Boot() Instant       { return s.boot }
func (s *server) Wall() time.Duration { return s.wall }
func (s *server) Term() uint64        { return s.term }
func (s *server) OldTerm() uint64     { return s.oldTerm }
func (s *server) Index() uint64       { return s.fsm }
func (s *server) Commit() uint64      { return s.commit }
func (s *server) Leading() uint64 {
	if s.role == leading {
		return s.term
	}
	return 0
}
func (s *server) Configuration() (Members, Instant) { return s.members, s.since }
func (s *server) Latest() Members {
	for i := len(s.log) - 1; i >= 0; i-- {
		if s.log[i].kind == configuration {
			return s.log[i].members
		}
	}
	return Members{}
}

func newWorld(rng *rand.Rand, servers, voters, others int) *world {
	w := &world{rng: rng}
	members := Members{Index: 1}
	for n := range servers {
		switch {
		case n < voters:
			members.Voters = append(members.Voters, simID(n))
		case n < voters+others:
			members.NonVoters = append(members.NonVoters, simID(n))
		}
	}
	log := []entry{{0, configuration, members}, {1, noop, Members{}}}
	w.commited = log
	for n := range servers {
		s := &server{w: w, id: simID(n), n: n, term: 1, voted: 0, boot: 1000 + Instant(n)*7777, match: make([]uint64, servers)}
		if members.has(s.id) {
			s.log, s.applied, s.fsm, s.members = log, 2, 1, members
		}
		w.servers = append(w.servers, s)
		s.power()
	}
	l := w.servers[0]
	l.role, l.noopAt = leading, 2
	return w
}

// power starts the process on what its disk holds.
func (s *server) power() {
	s.start++
	s.role, s.commit, s.votes, s.noopAt = follower, s.applied, nil, 0
	s.pending, s.leaving, s.reads = map[uint64]uint64{}, map[NodeID]bool{}, [2]simRead{}
	s.since, s.oldTerm = s.boot, s.term
	clear(s.match)
	margin := time.Duration(simMargin)
	if mutant == noMargin {
		margin = 0
	}
	n, err := New(Config{Self: s.id, Start: s.start, Length: simLength, Margin: margin, Renewal: 50,
		Clock: s, Raft: s, Machine: s, interleave: s.interleaved})
	if err != nil {
		panic(err)
	}
	if mutant == noMargin {
		n.cfg.Clock = steady{s}
	}
	s.lease = n
}

// steady hides clock jumps, which a margin of 0 would see everywhere.
type steady struct{ *server }

func (c steady) Wall() time.Duration { return c.boot }

// interleaved lets the rest of the world move on in the middle of a call.
func (s *server) interleaved(p point) {
	if s.w.inside || s.w.rng.IntN(4) > 0 {
		return
	}
	s.w.inside = true
	s.busy = p != pointUnlocked
	v := walker{world: s.w, p: walkProfile(s.w.rng)}
	for range s.w.rng.IntN(12) {
		v.step()
	}
	s.busy, s.w.inside = false, false
}

func (s *server) last() (index, term uint64) {
	if len(s.log) == 0 {
		return 0, 0
	}
	return uint64(len(s.log)), s.log[len(s.log)-1].term
}

func (s *server) observe(term uint64) {
	if term > s.term {
		s.term, s.voted, s.role = term, -1, follower
	}
}

func voterIndex(m Members, id NodeID) bool { return Members{Voters: m.Voters}.has(id) }

func (s *server) elect() bool {
	cfg := s.Latest()
	if s.role == leading || !voterIndex(cfg, s.id) || s.term >= simTerms {
		return false
	}
	s.term++
	s.voted, s.role, s.votes = s.n, candidate, map[int]bool{s.n: true}
	index, term := s.last()
	for _, v := range s.w.servers {
		if v != s && voterIndex(cfg, v.id) {
			s.w.send(simMessage{s.n, v.n, s.term, voteAsked{index, term}})
		}
	}
	s.maybeWin()
	return true
}

func (s *server) maybeWin() {
	cfg := s.Latest()
	have := 0
	for n := range s.votes {
		if voterIndex(cfg, simID(n)) {
			have++
		}
	}
	if s.role != candidate || have*2 <= len(cfg.Voters) {
		return
	}
	s.w.stats.elections++
	s.role = leading
	clear(s.match)
	s.noopAt = s.append(entry{s.term, noop, Members{}})
	s.advance()
}

func (s *server) append(e entry) uint64 {
	if e.kind == configuration {
		e.members.Index = uint64(len(s.log)) + 1
	}
	s.log = append(s.log[:len(s.log):len(s.log)], e)
	return uint64(len(s.log))
}

func (s *server) advance() {
	s.match[s.n] = uint64(len(s.log))
	cfg := s.Latest()
	for i := uint64(len(s.log)); i > s.commit && s.log[i-1].term == s.term; i-- {
		have := 0
		for _, v := range s.w.servers {
			if voterIndex(cfg, v.id) && s.match[v.n] >= i {
				have++
			}
		}
		if have*2 > len(cfg.Voters) {
			s.commit = i
			break
		}
	}
	for i := uint64(len(s.w.commited)); i < s.commit; i++ {
		s.w.commited = append(s.w.commited[:i:i], s.log[i])
	}
}

func (s *server) replicate(to *server, snapshot bool) bool {
	if s == to || s.role != leading || !s.Latest().has(to.id) {
		return false
	}
	m := appending{s.log, s.commit, false}
	if snapshot {
		m = appending{s.log[:s.applied:s.applied], s.applied, true}
	}
	s.w.send(simMessage{s.n, to.n, s.term, m})
	return true
}

func sameEntry(a, b entry) bool {
	return a.term == b.term && a.kind == b.kind && a.members.Index == b.members.Index
}

func (s *server) onAppend(m simMessage, a appending) {
	s.observe(m.term)
	if m.term < s.term {
		s.w.send(simMessage{s.n, m.from, s.term, appended{}})
		return
	}
	if s.role != leading {
		s.role = follower
	}
	same := 0
	for same < len(s.log) && same < len(a.log) && sameEntry(s.log[same], a.log[same]) {
		same++
	}
	if same < len(a.log) {
		if uint64(same) < s.applied {
			s.w.bad = "raft: an applied entry was overwritten"
			return
		}
		s.log = a.log[:len(a.log):len(a.log)]
	}
	s.commit = max(s.commit, min(a.commit, uint64(len(a.log))))
	if a.snapshot {
		if mutant == snapshotGoesBack && a.commit < s.applied {
			s.applied, s.fsm = 0, 0
		}
		for s.applied < a.commit {
			s.applyRaft()
		}
	}
	s.w.send(simMessage{s.n, m.from, s.term, appended{uint64(len(a.log))}})
}

// applyRaft gives one committed entry to the state machine.
func (s *server) applyRaft() bool {
	if s.applied >= s.commit {
		return false
	}
	e := s.log[s.applied]
	s.applied++
	if int(s.applied) > len(s.w.commited) || !sameEntry(s.w.commited[s.applied-1], e) {
		s.w.bad = "raft: two servers applied different entries"
		return true
	}
	switch e.kind {
	case command:
		s.fsm = s.applied
	case configuration:
		s.fsm, s.members, s.since = s.applied, e.members, s.boot
	}
	if s.role == leading && e.kind == configuration && !voterIndex(s.Latest(), s.id) {
		s.role = follower
	}
	return true
}

// apply is applyRaft and what the owner of the lease layer does after it.
func (s *server) apply() bool {
	if !s.applyRaft() {
		return false
	}
	index := s.applied
	if term, ok := s.pending[index]; ok && s.log[index-1].term == term && !s.busy {
		delete(s.pending, index)
		s.lease.Await(term, index, func(err error) {
			if err == nil {
				s.w.acked = max(s.w.acked, index)
				s.w.stats.acks++
			}
		})
	}
	if !s.busy {
		s.lease.Release()
	}
	return true
}

func (s *server) propose(k kind, m Members) bool {
	if s.role != leading || len(s.log) >= simMaxLog {
		return false
	}
	if k == configuration {
		if s.Latest().Index > s.commit || s.commit < s.noopAt || len(m.Voters) == 0 {
			return false
		}
		s.w.stats.changes++
	}
	index := s.append(entry{s.term, k, m})
	if k == command {
		s.pending[index] = s.term
	}
	s.advance()
	return true
}

func (w *world) send(m simMessage) {
	if len(w.messages) >= 48 {
		i := w.rng.IntN(len(w.messages))
		w.messages[i] = w.messages[len(w.messages)-1]
		w.messages = w.messages[:len(w.messages)-1]
	}
	w.messages = append(w.messages, m)
}

func isRaft(m simMessage) bool {
	switch m.payload.(type) {
	case voteAsked, voteGiven, appending, appended:
		return true
	}
	return false
}

// deliver hands a message to its receiver; false if that cannot take it now.
func (w *world) deliver(m simMessage) bool {
	s := w.servers[m.to]
	from := simID(m.from)
	if s.busy && !isRaft(m) {
		return false
	}
	switch p := m.payload.(type) {
	case voteAsked:
		s.observe(m.term)
		index, term := s.last()
		if m.term == s.term && (s.voted == -1 || s.voted == m.from) && s.role == follower &&
			(p.lastTerm > term || p.lastTerm == term && p.lastIndex >= index) {
			s.voted = m.from
			w.send(simMessage{m.to, m.from, s.term, voteGiven{}})
		}
	case voteGiven:
		s.observe(m.term)
		if m.term == s.term && s.role == candidate {
			s.votes[m.from] = true
			s.maybeWin()
		}
	case appending:
		s.onAppend(m, p)
	case appended:
		s.observe(m.term)
		if m.term == s.term && s.role == leading {
			s.match[m.from] = max(s.match[m.from], p.match)
			s.advance()
		}
	case Renew:
		if g, ok := s.lease.OnRenew(from, p); ok {
			w.send(simMessage{m.to, m.from, 0, g})
		}
	case Grant:
		s.lease.OnGrant(p)
	case Ack:
		s.lease.OnAck(from, p)
	case Left:
		s.lease.OnLeft(from, p)
	}
	return true
}

// flushLate makes the records that a mutant has put off.
func (n *Node) flushLate() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.table == nil {
		return
	}
	for _, f := range n.table.late {
		f()
	}
	n.table.late = nil
}
