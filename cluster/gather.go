package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// gatherer gives Raft the writes of this leader in groups: what arrives while a
// group is under way goes with the next one. A write alone does not wait, and many
// share the syncs of log and state on every node, which is where the time of a
// region that is written to goes. Raft by itself shares only what arrives while
// the leader appends to its log.
type gatherer struct {
	give func(group []*proposal) // returns when Raft has answered all of them

	mu      sync.Mutex
	queue   []*proposal
	driving bool
}

// proposal is a write that waits for its turn, then for its end.
type proposal struct {
	command  []byte // without its stamp
	deadline time.Time
	taken    atomic.Bool // by whoever is first: the driver, or the caller that gives up
	done     chan attempt
}

func newProposal(command []byte, deadline time.Time) *proposal {
	return &proposal{command: command, deadline: deadline, done: make(chan attempt, 1)}
}

// add puts a proposal in the queue.
func (g *gatherer) add(p *proposal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.queue = append(g.queue, p)
	if !g.driving {
		g.driving = true
		// The node does not wait for it: Raft may never answer, see futures.
		go g.drive()
	}
}

// drive gives group after group until the queue is empty.
func (g *gatherer) drive() {
	for {
		g.mu.Lock()
		group := g.queue
		g.queue = nil
		g.driving = len(group) > 0
		g.mu.Unlock()
		if len(group) == 0 {
			return
		}
		g.give(group)
	}
}

// wait returns what came of the proposal. One that still waits for its turn when
// ctx or the node ends is taken back.
func (p *proposal) wait(ctx, node context.Context) attempt {
	var reason error
	select {
	case a := <-p.done:
		return a
	case <-ctx.Done():
		reason = ctx.Err()
	case <-node.Done():
		reason = ErrStopped
	}
	if !p.taken.Swap(true) {
		return attempt{outcome: notLeader, reason: fmt.Errorf("waiting behind other writes: %w", reason)}
	}
	select {
	case a := <-p.done: // it came at the same time
		return a
	default:
		return attempt{outcome: unknown, reason: reason}
	}
}

// giveRaft hands a group to Raft and returns when all of it is answered, which is
// when it is applied here. The writes are not acknowledged then: that waits for the
// other nodes, and the next group does not.
func (n *Node) giveRaft(group []*proposal) {
	futures := make([]raft.ApplyFuture, len(group))
	for i, p := range group {
		if p.taken.Swap(true) { // nobody waits for it
			n.answered(p, attempt{})
			continue
		}
		data := stamped(p.command, n.stamps.next())
		futures[i] = n.raft.Apply(data, max(time.Until(p.deadline), time.Millisecond)) // 0 would be no limit
	}
	for i, p := range group {
		if futures[i] == nil {
			continue
		}
		a := outcomeOf(futures[i])
		if a.outcome != decided {
			n.answered(p, a)
			continue
		}
		// Refusals wait for the other nodes as well: they tell of the state.
		n.leases.layer.Await(a.term, a.index, func(err error) {
			if err != nil {
				a = attempt{outcome: unknown, reason: err}
			}
			n.answered(p, a)
		})
	}
	n.leases.tick()
}

// answered ends a proposal.
func (n *Node) answered(p *proposal, a attempt) {
	n.futures.end()
	n.waiting.Add(-1)
	p.done <- a
}
