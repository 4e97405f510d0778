package lease

import "time"

// grant lets this server answer until end, on its own clock, from a view at
// index minView or later.
type grant struct {
	end     Instant
	minView uint64
}

// sentRenewal remembers when a renewal was sent.
type sentRenewal struct {
	seq uint64
	at  Instant
}

// heard remembers when a grant of a term was last kept.
type heard struct {
	term uint64
	at   Instant
}

// emptyGrantRetry is how soon a node asks again after a grant of length 0.
const emptyGrantRetry = 5 * time.Millisecond

// MayAnswer tells whether an answer that was worked out from a view at this
// index may leave now (rule 8). It is called after the work, just before the
// answer, and takes no lock.
func (n *Node) MayAnswer(view uint64) bool {
	now := n.cfg.Clock.Boot()
	if n.clocksJumped(now) {
		n.mu.Lock()
		n.noteClocks(now)
		n.mu.Unlock()
		return false
	}
	for _, g := range *n.grants.Load() {
		if now < g.end && view >= g.minView {
			return true
		}
	}
	return false
}

// Promising tells whether a view at this index could be answered from under some
// grant, if that has not ended; the clock is not looked at.
func (n *Node) Promising(view uint64) bool {
	for _, g := range *n.grants.Load() {
		if view >= g.minView {
			return true
		}
	}
	return false
}

// Live tells whether some grant has not ended: if MayAnswer says no and Live
// says yes, a newer view may be answered from.
func (n *Node) Live() bool { return n.Until() > n.cfg.Clock.Boot() }

// Until is the end of the last of the grants; Never if there is none.
func (n *Node) Until() Instant {
	end := Never
	for _, g := range *n.grants.Load() {
		end = max(end, g.end)
	}
	return end
}

// Floor is the lowest index of a view that may be answered from now; ok is false
// if no grant is live.
func (n *Node) Floor() (view uint64, ok bool) {
	now := n.cfg.Clock.Boot()
	for _, g := range *n.grants.Load() {
		if now < g.end && (!ok || g.minView < view) {
			view, ok = g.minView, true
		}
	}
	return view, ok
}

// RenewNow makes the next renewal due at once, because another leader is known.
func (n *Node) RenewNow() {
	n.mu.Lock()
	n.renewAt = n.cfg.Clock.Boot()
	n.mu.Unlock()
}

// NextRenewal is when Renew is due next.
func (n *Node) NextRenewal() Instant {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cfg.Raft.Term() != n.lastTerm {
		return min(n.renewAt, n.cfg.Clock.Boot())
	}
	return n.renewAt
}

// Renew composes a renewal for the leader (rule 3). The owner sends it once,
// or, when this server is the leader itself, calls SelfGrant instead. It is not
// to be called after Leave; then ok is false.
func (n *Node) Renew() (m Renew, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	term := n.cfg.Raft.Term()
	now := n.cfg.Clock.Boot()
	n.noteClocks(now)
	n.lastTerm, n.renewAt = term, now+n.cfg.Renewal
	if n.stopped {
		return Renew{}, false
	}
	n.seq++
	n.outstanding[n.seq%uint64(len(n.outstanding))] = sentRenewal{n.seq, now}
	n.stats.Renewals++
	return Renew{
		Term:    term,
		Name:    Name{n.cfg.Start, n.seq},
		Applied: n.cfg.Machine.Index(),
		Echo:    n.echo,
		Age:     now - n.keptBelow(term),
	}, true
}

// keptBelow is the latest time at which this server kept a grant of a term
// below the given one, led, or started (rule 12).
func (n *Node) keptBelow(term uint64) Instant {
	at := n.started
	if mutant == fastRestartGreatAge {
		at = Never / 2
	}
	if mutant != fastForgetsLeader {
		at = max(at, n.lastLed)
	}
	for _, h := range n.heard {
		if h.term < term {
			at = max(at, h.at)
		}
	}
	return at
}

// OnGrant takes a grant (rule 4).
func (n *Node) OnGrant(g Grant) {
	term := uint64(0)
	if mutant == termBeforeReceipt {
		term = n.termBefore()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if mutant != termBeforeReceipt {
		term = n.cfg.Raft.Term()
	}
	if g.Term != term && mutant != echoWithoutTerm || g.Name.Start != n.cfg.Start || n.stopped {
		return
	}
	now := n.cfg.Clock.Boot()
	n.noteClocks(now)
	if g.Term > n.echo.Term || g.Term == n.echo.Term && g.Sent > n.echo.Sent {
		n.echo = Echo{g.Term, g.Sent}
		if g.Term > n.heard[0].term {
			n.heard[1] = n.heard[0]
			n.heard[0].term = g.Term
		}
		n.heard[0].at = now
	}
	if g.Length <= 0 {
		n.renewAt = min(n.renewAt, now+emptyGrantRetry)
		return
	}
	sent := n.outstanding[g.Name.Seq%uint64(len(n.outstanding))]
	if sent.seq != g.Name.Seq || sent.seq == 0 {
		return
	}
	from := sent.at
	if mutant == leaseFromReceipt {
		from = now
	}
	n.addGrant(now, grant{from + g.Length, g.MinView})
}

// addGrant keeps a grant beside those that have not ended, without those that
// it makes needless. The caller holds mu.
func (n *Node) addGrant(now Instant, g grant) {
	old := *n.grants.Load()
	live := make([]grant, 0, len(old)+1)
	for _, o := range old {
		if o.end >= g.end && o.minView <= g.minView {
			return
		}
		if o.end > now && (o.end > g.end || o.minView < g.minView) {
			live = append(live, o)
		}
	}
	live = append(live, g)
	n.grants.Store(&live)
}

// dropGrants forgets all grants, and the renewals that could still bring some.
// The caller holds mu.
func (n *Node) dropGrants() {
	n.grants.Store(&[]grant{})
	n.outstanding = [16]sentRenewal{}
}
