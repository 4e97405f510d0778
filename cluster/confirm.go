package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/clusterpb"
)

// confirmer proves that a leader still led at some moment: a quorum of the
// voters, asked after that moment, had not gone beyond the leader's term. A
// voter stores a new term before it answers a vote, so no later leader can have
// been elected by then.
//
// Raft's own VerifyLeader counts answers to heartbeats that were sent before it
// was called. After a pause of the process such an answer may be old, and the
// proof with it.
type confirmer struct {
	need int // other voters that must confirm

	mu     sync.Mutex
	round  uint64         // newest round asked for
	wanted chan struct{}  // closed when round rises
	moved  chan struct{}  // closed when a voter confirmed
	done   []uint64       // for each other voter: newest round that it confirmed
	clocks []clockReading // for each other voter: its clock in the round in done
}

// clockReading is how far a voter's wall clock was from this node's.
type clockReading struct {
	known  bool
	offset time.Duration
}

var (
	errTermClosed   = errors.New("cluster: the term ended")
	errClocksDiffer = errors.New("cluster: the voters' clocks are not close to the leader's")
)

func newConfirmer(others []raft.Server, self bool) *confirmer {
	voters := len(others)
	own := 0
	if self {
		voters++
		own = 1
	}
	return &confirmer{
		need:   voters/2 + 1 - own,
		wanted: make(chan struct{}), moved: make(chan struct{}),
		done: make([]uint64, len(others)), clocks: make([]clockReading, len(others)),
	}
}

// quorum returns nil once a quorum has confirmed the term, having been asked
// after the call began. It ends with either context.
func (c *confirmer) quorum(ctx, term context.Context) error {
	return c.ask(ctx, term, func(round uint64) (bool, error) {
		confirmed := 0
		for _, done := range c.done {
			if done >= round {
				confirmed++
			}
		}
		return confirmed >= c.need, nil
	})
}

// clocksAgree returns nil once a quorum of the voters, this node included, has
// shown a wall clock within limit of this node's, having been asked after the
// call began. What they showed before says nothing: this node's clock may have
// jumped since. It ends with either context, and when every voter has answered.
func (c *confirmer) clocksAgree(ctx, term context.Context, limit time.Duration) error {
	return c.ask(ctx, term, func(round uint64) (bool, error) {
		answers, agree := 0, 0
		for i, clock := range c.clocks {
			if c.done[i] < round {
				continue
			}
			answers++
			if clock.known && clock.offset.Abs() <= limit {
				agree++
			}
		}
		if agree < c.need && answers == len(c.clocks) {
			return false, errClocksDiffer
		}
		return agree >= c.need, nil
	})
}

// ask begins a round and waits until enough, called with the lock held, is
// content with the answers to it or fails.
func (c *confirmer) ask(ctx, term context.Context, enough func(round uint64) (bool, error)) error {
	if c.need <= 0 {
		return nil
	}
	c.mu.Lock()
	c.round++
	round := c.round
	close(c.wanted)
	c.wanted = make(chan struct{})
	for {
		ok, err := enough(round)
		moved := c.moved
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-term.Done():
			return errTermClosed
		}
		c.mu.Lock()
	}
}

// next waits until voter i has to be asked, and returns the round.
func (c *confirmer) next(ctx context.Context, asked uint64) (round uint64, ok bool) {
	for {
		c.mu.Lock()
		round, wanted := c.round, c.wanted
		c.mu.Unlock()
		if round > asked {
			return round, true
		}
		select {
		case <-wanted:
		case <-ctx.Done():
			return 0, false
		}
	}
}

func (c *confirmer) confirmed(i int, round uint64, clock clockReading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[i], c.clocks[i] = round, clock
	close(c.moved)
	c.moved = make(chan struct{})
}

// confirmWith asks one voter for as long as the term is open: at most one
// question is under way, and it carries all rounds that began before it.
func (n *Node) confirmWith(t *openTerm, i int, server raft.Server) {
	var asked uint64
	pause := time.Duration(0)
	for {
		round, ok := t.confirm.next(t.ctx, asked)
		if !ok {
			return
		}
		answer, clock, err := n.askTerm(t.ctx, server)
		switch {
		case err != nil: // the round stays open: ask again
			pause = nextPause(pause)
			select {
			case <-time.After(pause):
			case <-t.ctx.Done():
				return
			}
		case answer > t.number: // deposed: Raft will say so
			asked = round
		default:
			asked, pause = round, 0
			t.confirm.confirmed(i, round, clock)
		}
	}
}

func (n *Node) askTerm(ctx context.Context, server raft.Server) (uint64, clockReading, error) {
	client, err := n.peer(string(server.ID), string(server.Address))
	if err != nil {
		return 0, clockReading{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.confirmTimeout())
	defer cancel()
	sent := n.cfg.Now()
	answer, err := client.Confirm(ctx, &clusterpb.ConfirmRequest{})
	if err != nil {
		return 0, clockReading{}, err
	}
	received := n.cfg.Now()
	middle := sent.Add(received.Sub(sent) / 2)
	return answer.Term, clockReading{true, time.UnixMilli(answer.WallUnixMs).Sub(middle)}, nil
}
