package lease

import (
	"container/heap"
	"errors"
)

// ErrUnknown says that the term of a write is over: its fate is decided
// elsewhere.
var ErrUnknown = errors.New("lease: the term of this write is over")

// waiter is a write that is applied here and not yet released.
type waiter struct {
	index uint64
	done  func(error)
}

// waitQueue is a heap of waiters by index.
type waitQueue []waiter

func (q waitQueue) Len() int           { return len(q) }
func (q waitQueue) Less(i, j int) bool { return q[i].index < q[j].index }
func (q waitQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *waitQueue) Push(w any)        { *q = append(*q, w.(waiter)) }
func (q *waitQueue) Pop() any {
	old := *q
	w := old[len(old)-1]
	*q = old[:len(old)-1]
	return w
}

func (q waitQueue) fail() {
	for _, w := range q {
		w.done(ErrUnknown)
	}
}

// Await calls done once the write at this index, whose log entry carries this
// term, may be acknowledged (rule 10): with nil when it is released, with
// ErrUnknown when the term ends first. The write has been applied here. done is
// called exactly once, perhaps before Await returns, and must not block.
func (n *Node) Await(term, index uint64, done func(error)) {
	n.mu.Lock()
	t := n.table
	if t == nil || t.term != term && mutant != deposedReleasesLater || n.stopped {
		n.mu.Unlock()
		done(ErrUnknown)
		return
	}
	heap.Push(&t.waiting, waiter{index, done})
	n.mu.Unlock()
	n.Release()
}

// OnAck takes a server's applied index (rule 9). Acks need no term: an applied
// index is committed, and durable.
func (n *Node) OnAck(from NodeID, a Ack) {
	n.mu.Lock()
	if n.table != nil && from != n.cfg.Self {
		r := n.table.record(from)
		r.acked = max(r.acked, a.Applied)
	}
	n.mu.Unlock()
	n.Release()
}

// Release passes on whatever may be acknowledged now. The owner calls it when
// the state machine has moved on and at the time that NextRelease names.
func (n *Node) Release() {
	n.mu.Lock()
	t := n.table
	if t == nil || len(t.waiting) == 0 {
		n.mu.Unlock()
		return
	}
	upTo := n.watermark(t, n.cfg.Clock.Boot())
	var out []waiter
	for len(t.waiting) > 0 && t.waiting[0].index <= upTo {
		out = append(out, heap.Pop(&t.waiting).(waiter))
	}
	n.stats.Released += uint64(len(out))
	n.mu.Unlock()
	for _, w := range out {
		w.done(nil)
	}
}

// watermark is the index up to which every server has applied, or may answer
// nothing. The caller holds mu.
func (n *Node) watermark(t *table, now Instant) uint64 {
	upTo := n.cfg.Machine.Index()
	if mutant == noReleaseWait {
		return upTo
	}
	n.eachHolder(t, now, func(id NodeID, acked uint64, _ Instant) {
		upTo = min(upTo, acked)
	})
	return upTo
}

// eachHolder calls f for every other server that may hold a grant, in the
// configuration or not, with the end of what it may hold.
func (n *Node) eachHolder(t *table, now Instant, f func(id NodeID, acked uint64, end Instant)) {
	if now >= t.won+n.cfg.Length+n.cfg.Margin {
		clear(t.bornOld) // rule 11's assumption has run out
	}
	ignored := func(id NodeID) bool {
		if mutant != releaseIgnoresNonVoters {
			return false
		}
		members, _ := n.cfg.Machine.Configuration()
		return !Members{Voters: members.Voters}.has(id)
	}
	for id, r := range t.records {
		if end := n.holdEnd(t, id, r); now < end && !ignored(id) {
			f(id, r.acked, end)
		}
	}
	for id := range t.bornOld {
		if t.records[id] == nil {
			if end := n.oldEnd(t, now); now < end && !ignored(id) {
				f(id, 0, end)
			}
		}
	}
}

// holdEnd is when a server's grants have all ended, as far as the leader knows.
func (n *Node) holdEnd(t *table, id NodeID, r *record) Instant {
	end := r.end
	if t.bornOld[id] {
		end = max(end, n.oldEnd(t, n.cfg.Clock.Boot()))
	}
	return end
}

// oldEnd is when the grants of all earlier leaders have ended (rules 11, 12).
func (n *Node) oldEnd(t *table, now Instant) Instant {
	base := t.won
	members, since := n.cfg.Machine.Configuration()
	latest := n.cfg.Raft.Latest()
	stable := members.Index == latest.Index && now-since >= n.cfg.Length+n.cfg.Margin
	if stable || mutant == fastOverNewConfiguration {
		base = min(base, quorumOldest(latest.Voters, func(v NodeID) Instant {
			if v == n.cfg.Self {
				return t.before
			}
			if r := t.records[v]; r != nil && r.bounded {
				return r.bound
			}
			return t.won
		}))
	}
	return base + n.cfg.Length + n.cfg.Margin
}

// NextRelease is when a record ends that holds a waiting write back; ok is
// false if no write waits.
func (n *Node) NextRelease() (at Instant, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.table
	if t == nil || len(t.waiting) == 0 {
		return 0, false
	}
	first := t.waiting[0].index
	n.eachHolder(t, n.cfg.Clock.Boot(), func(_ NodeID, acked uint64, end Instant) {
		if acked < first && (!ok || end < at) {
			at, ok = end, true
		}
	})
	return at, ok
}
