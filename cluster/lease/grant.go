package lease

import "errors"

// ErrNotLeader says that this server leads no term that it has opened.
var ErrNotLeader = errors.New("lease: this server leads no open term")

// OnRenew answers a renewal (rules 2, 7, 16). The sender is the one that its
// certificate names. ok is false when there is nothing to answer: this server
// does not lead, or the renewal is late or doubled.
func (n *Node) OnRenew(from NodeID, m Renew) (g Grant, ok bool) {
	n.mu.Lock()
	t := n.table
	if t == nil || n.stopped || from == n.cfg.Self || n.cfg.Raft.Leading() != t.term {
		n.mu.Unlock()
		return Grant{}, false
	}
	now := n.cfg.Clock.Boot()
	n.noteClocks(now)
	r := t.record(from)
	r.acked = max(r.acked, m.Applied)
	if !r.newest.before(m.Name) && mutant != leftEndsNewer {
		n.mu.Unlock()
		n.Release()
		return Grant{}, false
	}
	r.newest = m.Name
	t.note(from, r, m, now)

	x, leads := n.authority(now)
	if !leads {
		n.mu.Unlock()
		return Grant{}, false
	}
	g = Grant{Term: t.term, Sent: now, Name: m.Name, Length: x + n.cfg.Length - now}
	if !n.mayGrant(from, r, m.Applied) || g.Length < 0 || x == Never {
		g.Length = 0
	}
	r.fsmAtPrevious = n.cfg.Machine.Index()
	n.issue(t, r, &g, x)
	if g.Length > 0 {
		n.stats.Grants++
	} else {
		n.stats.EmptyGrants++
	}
	n.mu.Unlock()
	n.Release()
	return g, true
}

// note keeps what a renewal tells of the sender. The caller holds mu.
func (t *table) note(from NodeID, r *record, m Renew, now Instant) {
	if m.Echo.Term == t.term {
		at := m.Echo.Sent
		if mutant == authorityAtReceipt {
			at = now
		}
		if old, ok := t.echoes[from]; !ok || at > old {
			t.echoes[from] = at
		}
	}
	if (m.Term == t.term || mutant == fastAgeOfOlderTerm) && !r.bounded {
		r.bound, r.bounded = now-m.Age, true
	}
	if mutant == renewalClearsOld && m.Term == t.term {
		delete(t.bornOld, from)
	}
}

// mayGrant tells whether a server may hold a lease of this leader (rules 7 and
// 16). The caller holds mu.
func (n *Node) mayGrant(id NodeID, r *record, applied uint64) bool {
	if n.suspended || applied < r.fsmAtPrevious {
		return false
	}
	members, _ := n.cfg.Machine.Configuration()
	latest := n.cfg.Raft.Latest()
	switch mutant {
	case grantDuringRemoval, removeAtOnce:
		return members.has(id)
	case grantUncommitted:
		return (members.has(id) || latest.has(id)) && !n.table.leaving[id]
	}
	return members.has(id) && latest.has(id) && !n.table.leaving[id]
}

// issue records that the server may hold a grant until x + D + m, and only
// then reads c: a write up to c is covered by c, one beyond it finds the record
// (rule 7). The caller holds mu.
func (n *Node) issue(t *table, r *record, g *Grant, x Instant) {
	record := func() {
		if g.Length > 0 {
			r.end = max(r.end, x+n.cfg.Length+n.cfg.Margin)
		}
	}
	switch mutant {
	case recordAfterSend:
		length := g.Length
		t.late = append(t.late, func() {
			if length > 0 {
				r.end = max(r.end, x+n.cfg.Length+n.cfg.Margin)
			}
		})
	case minViewBeforeRecord:
		g.MinView = n.cfg.Machine.Index()
		n.mu.Unlock()
		n.interleave(pointUnlocked)
		n.mu.Lock()
		record()
		return
	default:
		record()
	}
	n.interleave(pointRecorded)
	g.MinView = n.cfg.Machine.Index()
	if mutant == minViewIsCommit {
		g.MinView = n.cfg.Machine.(interface{ Commit() uint64 }).Commit()
	}
	n.interleave(pointRead)
}

func (n *Node) interleave(p point) {
	if n.cfg.interleave != nil {
		n.cfg.interleave(p)
	}
}

// SelfGrant is the leader's lease to itself, by the same authority (rule 7). It
// is called when a renewal is due and this server leads.
func (n *Node) SelfGrant() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.table == nil || n.stopped {
		return
	}
	now := n.cfg.Clock.Boot()
	n.noteClocks(now)
	n.renewAt = now + n.cfg.Renewal
	x, leads := n.authority(now)
	if !leads || n.suspended || x == Never || x+n.cfg.Length <= now {
		return
	}
	n.addGrant(now, grant{x + n.cfg.Length, n.table.minView})
}
