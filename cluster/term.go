package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/lease"
)

// openTerm is a term that this node leads and whose barrier it has applied, so
// that its state covers everything that earlier leaders can have acknowledged.
type openTerm struct {
	number  uint64
	alone   bool          // the only voter
	others  []raft.Server // the other voters
	opened  lease.Instant
	confirm *confirmer
	ctx     context.Context
	close   context.CancelFunc
}

// leading reports whether the node leads term t now. Raft stores a higher term
// before it answers anything in it, so the term is read on both sides.
func (n *Node) leading(t uint64) bool {
	return n.raft.CurrentTerm() == t && n.raft.State() == raft.Leader && n.raft.CurrentTerm() == t
}

// term returns the open term, nil while the node does not lead one.
func (n *Node) term() *openTerm {
	if t := n.open.Load(); t != nil && n.leading(t.number) {
		return t
	}
	return nil
}

// lead owns the open term: it opens one after each election that the node wins
// and closes it when the node steps down.
func (n *Node) lead(ctx context.Context, notify <-chan bool) {
	for {
		select {
		case <-ctx.Done():
			n.closeTerm()
			return
		case won := <-notify:
			n.closeTerm()
			if !won {
				continue
			}
			n.openWhileLeading(ctx)
		}
	}
}

// openWhileLeading tries until the term is open or lost.
func (n *Node) openWhileLeading(ctx context.Context) {
	const pause = 50 * time.Millisecond
	for number := n.raft.CurrentTerm(); n.leading(number) && ctx.Err() == nil; {
		err := n.openTerm(ctx, number)
		if err == nil {
			return
		}
		n.log.Warn("the term could not be opened", "term", number, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (n *Node) openTerm(ctx context.Context, number uint64) error {
	opening, ok := n.leases.layer.BeginTerm()
	if !ok || opening.Term != number {
		return raft.ErrLeadershipLost
	}
	barrier := func() raft.Future { return n.raft.Barrier(n.cfg.Timing.Hold) }
	if err := n.futures.give(ctx, barrier); err != nil {
		return err
	}
	if !n.leading(number) {
		return raft.ErrLeadershipLost
	}
	v, err := n.store.View()
	if err != nil {
		return err
	}
	last := v.LastStamp()
	v.Close()
	n.stamps.raise(last)

	// The latest configuration, committed or not: only it has a quorum in common
	// with every one that can elect another leader. It changes through this
	// leader alone, and whoever changes it has to open the term again.
	configuration := n.raft.GetConfiguration()
	if err := configuration.Error(); err != nil {
		return err
	}
	var others []raft.Server
	self := false
	for _, server := range configuration.Configuration().Servers {
		switch {
		case server.Suffrage != raft.Voter:
		case string(server.ID) == n.cfg.NodeID:
			self = true
		default:
			others = append(others, server)
		}
	}
	t := &openTerm{number: number, alone: self && len(others) == 0, others: others, opened: n.cfg.BootTime()}
	t.ctx, t.close = context.WithCancel(ctx)
	t.confirm = newConfirmer(others, self)
	for i, server := range others {
		n.spawn(func() { n.confirmWith(t, i, server) })
	}
	if !n.leases.layer.OpenTerm(opening) {
		t.close()
		return raft.ErrLeadershipLost
	}
	n.open.Store(t)
	n.leases.leaderChanged()
	n.log.Info("leading", "term", number, "applied", n.machine.applied.value.Load())
	n.spawn(func() { n.runLeaderJobs(t) })
	return nil
}

func (n *Node) closeTerm() {
	if t := n.open.Swap(nil); t != nil {
		t.close()
	}
	n.leases.layer.CloseTerm()
}

// errNotLeading: the node could not prove that it leads.
var errNotLeading = errors.New("cluster: not the leader")

// leaderIndex returns an index that covers every write acknowledged before the
// call, and whatever a read on any node has shown before it. Order matters: the index is read first, and then the
// proof that no later leader existed at that moment.
func (n *Node) leaderIndex(ctx context.Context) (index uint64, err error) {
	t := n.term()
	if t == nil {
		return 0, errNotLeading
	}
	if index, err = n.committedIndex(); err != nil {
		return 0, err
	}
	if err := t.confirm.quorum(ctx, t.ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", errNotLeading, err)
	}
	if !n.leading(t.number) {
		return 0, errNotLeading
	}
	return index, nil
}

// committedIndex is the FSM index of the newest entry that is known to be
// committed, whether it is applied here or not: a follower may have applied it,
// and shown it, before this leader.
func (n *Node) committedIndex() (uint64, error) {
	committed := n.raft.CommitIndex()
	applied := n.machine.applied.value.Load()
	for i := committed; i > applied; i-- {
		var entry raft.Log
		if err := n.raftStore.GetLog(i, &entry); err != nil {
			if isMissing(err) {
				break // compacted, so applied meanwhile
			}
			return 0, err
		}
		// No state machine reaches the index of any other entry.
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			return i, nil
		}
	}
	return max(applied, n.machine.applied.value.Load()), nil
}

// confirmTimeout bounds one question to one voter.
func (n *Node) confirmTimeout() time.Duration { return n.cfg.Timing.Heartbeat }

// clockTimeout bounds how long the leader waits for the voters' clocks.
func (n *Node) clockTimeout() time.Duration { return 4 * n.confirmTimeout() }
