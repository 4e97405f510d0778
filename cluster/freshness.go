package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"meridian/cluster/clusterpb"
)

// Ticket is what a read was admitted with.
type Ticket struct {
	// Index that the view must have reached.
	Index uint64
}

// Freshness decides that a read shows every write that was acknowledged before
// it began. It is the one seam between reads and the way in which that is known:
// leases, as a rule, and a read index where a caller asks for it.
type Freshness interface {
	// Admit is called before the view is opened. It may wait; again is true when
	// Check has refused what the read came to before.
	Admit(ctx context.Context, again bool) (Ticket, error)
	// Check is called after the work, before the answer, with the index of the
	// view that was read. ErrStale: the read has to be done once more.
	Check(t Ticket, viewIndex uint64) error
}

// ErrStale is Check's answer for a view that is too old.
var ErrStale = errors.New("cluster: the view is too old")

// readIndex is Freshness through the leader: it proves that it still leads and
// names the index that its state had before the proof. Reads are linearizable.
// Concurrent reads share a round trip; each waits for a round that began after
// itself, and no index outlives its round.
type readIndex struct {
	node *Node

	mu      sync.Mutex
	waiting *readRound // begins when the round under way ends
	running bool
}

// readRound is one question to the leader on behalf of all who wait for it.
type readRound struct {
	done  chan struct{}
	index uint64
	err   error
}

// Admit returns once this node's state has reached the leader's index.
func (r *readIndex) Admit(ctx context.Context, _ bool) (Ticket, error) {
	n := r.node
	if t := n.term(); t != nil && t.alone {
		// The only voter: nobody else can lead, and every acknowledged write is in
		// the state already.
		return Ticket{n.machine.applied.value.Load()}, nil
	}
	return r.admitHeld(ctx)
}

func (r *readIndex) admitHeld(ctx context.Context) (Ticket, error) {
	n, caller := r.node, ctx
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Hold)
	defer cancel()
	var pause time.Duration
	for {
		index, err := r.shared(ctx)
		if err == nil {
			err = n.machine.applied.wait(ctx, index)
		}
		if err == nil {
			return Ticket{index}, nil
		}
		if n.ctx.Err() != nil {
			return Ticket{}, ErrStopped
		}
		pause = nextPause(pause)
		if n.reigns.current().pause(ctx, pause) != nil {
			if caller.Err() != nil {
				return Ticket{}, fmt.Errorf("%w: %w", ErrUnavailable, caller.Err())
			}
			return Ticket{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

// Check refuses a view from before the index; views never are, because Admit
// has waited for it.
func (r *readIndex) Check(t Ticket, viewIndex uint64) error {
	if viewIndex < t.Index {
		return ErrStale
	}
	return nil
}

// shared joins the next round.
func (r *readIndex) shared(ctx context.Context) (uint64, error) {
	r.mu.Lock()
	if r.waiting == nil {
		r.waiting = &readRound{done: make(chan struct{})}
	}
	round := r.waiting
	if !r.running {
		if !r.node.spawn(r.run) {
			r.mu.Unlock()
			return 0, ErrStopped
		}
		r.running = true
	}
	r.mu.Unlock()
	select {
	case <-round.done:
		return round.index, round.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// run does rounds one after the other until nobody waits.
func (r *readIndex) run() {
	for {
		r.mu.Lock()
		round := r.waiting
		r.waiting = nil
		if round == nil {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		started := time.Now()
		round.index, round.err = r.ask()
		r.node.metrics.readRound(time.Since(started), round.err)
		close(round.done)
	}
}

// ask does one round: here when this node leads, else at the leader.
func (r *readIndex) ask() (uint64, error) {
	n := r.node
	ctx, cancel := context.WithTimeout(n.ctx, 2*n.cfg.Timing.Heartbeat)
	defer cancel()
	reign := n.reigns.current()
	switch reign.id {
	case "":
		return 0, errNoLeader
	case n.cfg.NodeID:
		return n.leaderIndex(ctx)
	}
	ctx, end := reign.during(ctx)
	defer end()
	client, err := n.peer(reign.id, reign.address)
	if err != nil {
		return 0, err
	}
	answer, err := client.ReadIndex(ctx, &clusterpb.ReadIndexRequest{})
	if err != nil {
		return 0, err
	}
	if !answer.Leading {
		return 0, errNotLeading
	}
	return answer.Index, nil
}

var errNoLeader = errors.New("cluster: no leader is known")
