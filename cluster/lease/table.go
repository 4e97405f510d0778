package lease

import "math"

// table is all that a leader knows of one term. It is made anew for each term
// that it opens, also when the same server wins again (rule 6).
type table struct {
	term    uint64
	won     Instant // when this server first saw itself lead the term
	before  Instant // its own keptBelow(term) at that moment (rule 12)
	minView uint64  // FSM index after the barrier: c of the leader's own grants
	bornOld map[NodeID]bool
	records map[NodeID]*record
	echoes  map[NodeID]Instant
	leaving map[NodeID]bool
	waiting waitQueue

	late []func() // records that a mutant makes after sending
}

// record is what a leader remembers of another server.
type record struct {
	newest        Name
	acked         uint64  // FSM index that the server reported
	end           Instant // the server may hold a grant of this term until then
	bound         Instant // it kept no grant of an older term after this (rule 12)
	bounded       bool
	fsmAtPrevious uint64 // the leader's FSM index when it answered the renewal before (rule 16)
}

// record returns the record of a server, made when it is first heard of.
func (t *table) record(id NodeID) *record {
	r := t.records[id]
	if r == nil {
		r = &record{end: Never, fsmAtPrevious: math.MaxUint64}
		t.records[id] = r
	}
	return r
}

// Opening is a term that this server leads and has not opened yet.
type Opening struct {
	Term   uint64
	won    Instant
	before Instant
}

// BeginTerm tells whether this server leads a term that is not open yet. The
// owner then calls raft's Barrier, and OpenTerm once that has returned. It may
// be called again for the same term if the barrier failed.
func (n *Node) BeginTerm() (o Opening, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	term := n.cfg.Raft.Leading()
	if term == 0 || n.stopped || n.table != nil && n.table.term == term {
		return Opening{}, false
	}
	if n.opening.Term != term {
		n.opening = Opening{Term: term, won: n.cfg.Clock.Boot(), before: n.keptBelow(term)}
	}
	return n.opening, true
}

// OpenTerm starts granting and releasing in a term whose barrier has returned
// (rule 6). Writes that wait in the table of an earlier term become unknown.
// It is false if the server does not lead the term any more.
func (n *Node) OpenTerm(o Opening) bool {
	n.mu.Lock()
	if n.cfg.Raft.Leading() != o.Term || n.stopped {
		n.mu.Unlock()
		return false
	}
	members, _ := n.cfg.Machine.Configuration()
	t := &table{
		term: o.Term, won: o.won, before: o.before, minView: n.cfg.Machine.Index(),
		bornOld: map[NodeID]bool{}, records: map[NodeID]*record{}, echoes: map[NodeID]Instant{}, leaving: map[NodeID]bool{},
	}
	for _, ids := range [][]NodeID{members.Voters, members.NonVoters} {
		for _, id := range ids {
			if id != n.cfg.Self && mutant != newLeaderReleasesAtOnce {
				t.bornOld[id] = true
			}
		}
	}
	old := n.table
	if mutant == keepRecordsOnRewin && old != nil {
		t.records, t.bornOld = old.records, map[NodeID]bool{}
		for _, r := range t.records {
			r.bounded = false
		}
	}
	for id, l := range n.early {
		if l.Term == o.Term {
			t.left(id, l)
		}
	}
	clear(n.early)
	n.table = t
	n.renewAt = n.cfg.Clock.Boot()
	n.mu.Unlock()
	if old != nil {
		old.waiting.fail()
	}
	return true
}

// CloseTerm ends the term that this server has opened, when it knows that it
// leads no more: writes that wait become unknown.
func (n *Node) CloseTerm() {
	n.mu.Lock()
	t := n.table
	n.table = nil
	n.mu.Unlock()
	if t != nil {
		t.waiting.fail()
	}
}

// OpenedTerm is the term that this server grants and releases in; 0 if none.
func (n *Node) OpenedTerm() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.table == nil || n.cfg.Raft.Leading() != n.table.term {
		return 0
	}
	return n.table.term
}
