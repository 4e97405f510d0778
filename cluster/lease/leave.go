package lease

import "errors"

// Leave is the last step of a clean stop, after leadership has been handed on:
// from now on this server answers nothing, and what it returns may be sent to
// the leader, once, so that no write waits for it (rule 13).
func (n *Node) Leave() Left {
	n.mu.Lock()
	n.stopped = true
	n.dropGrants()
	l := Left{Term: n.cfg.Raft.Term(), Name: Name{n.cfg.Start, n.seq}}
	t := n.table
	n.table = nil
	n.mu.Unlock()
	if t != nil {
		t.waiting.fail()
	}
	return l
}

// OnLeft takes the message of a server that has stopped (rule 13).
func (n *Node) OnLeft(from NodeID, l Left) {
	n.mu.Lock()
	if from != n.cfg.Self {
		t := n.table
		if t != nil {
			t.left(from, l)
		}
		// The successor of a server that stops, and has just handed leadership
		// over, hears of it while it still opens its term.
		if t == nil || t.term < l.Term {
			n.early[from] = l
		}
	}
	n.mu.Unlock()
	n.Release()
}

// left notes that a server holds nothing any more.
func (t *table) left(from NodeID, l Left) {
	if l.Term == t.term || mutant == leftOfOlderTerm {
		delete(t.bornOld, from)
	}
	if r := t.record(from); !l.Name.before(r.newest) || mutant == leftEndsNewer {
		r.newest = l.Name
		r.end = Never
	}
}

// ErrOwnRemoval says that a leader must hand leadership on before it is
// removed or demoted.
var ErrOwnRemoval = errors.New("lease: a leader does not remove itself")

// MarkLeaving is the first step of removing a server: it gets no more grants
// for the rest of the term, whatever becomes of the removal (rule 15).
func (n *Node) MarkLeaving(id NodeID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if id == n.cfg.Self {
		return ErrOwnRemoval
	}
	if n.table == nil || n.cfg.Raft.Leading() != n.table.term {
		return ErrNotLeader
	}
	n.table.leaving[id] = true
	return nil
}

// Removable tells whether the removal of a server may be proposed: it is marked
// as leaving and may hold nothing, of this leader or an earlier one (rule 15).
func (n *Node) Removable(id NodeID) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.table
	if t == nil || n.cfg.Raft.Leading() != t.term {
		return false, ErrNotLeader
	}
	if id == n.cfg.Self || !t.leaving[id] {
		return false, nil
	}
	if mutant == removeAtOnce {
		delete(t.records, id)
		delete(t.bornOld, id)
		return true, nil
	}
	end := Never
	if r := t.records[id]; r != nil {
		end = r.end
	}
	now := n.cfg.Clock.Boot()
	if t.bornOld[id] && mutant != freshLeaderRemoves {
		end = max(end, n.oldEnd(t, now))
	}
	return now >= end, nil
}

// Suspend stops granting, to this server too, before a restore by a user (rule
// 17), and tells when nobody can hold anything any more. Resume ends it.
func (n *Node) Suspend() (quiet Instant, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.table
	if t == nil || n.cfg.Raft.Leading() != t.term {
		return 0, ErrNotLeader
	}
	n.suspended = true
	now := n.cfg.Clock.Boot()
	quiet = max(now, n.Until())
	n.eachHolder(t, now, func(_ NodeID, _ uint64, end Instant) { quiet = max(quiet, end) })
	return quiet, nil
}

// Resume lets grants go out again.
func (n *Node) Resume() {
	n.mu.Lock()
	n.suspended = false
	n.mu.Unlock()
}
