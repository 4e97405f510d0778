package cluster

import (
	"context"
	"errors"
	"fmt"

	"meridian/store"
)

// ReadOptions ask for more than every read gives. The zero value asks for
// nothing.
type ReadOptions struct {
	// Linearizable has the leader asked how far the region is, after it proved
	// that it leads: the read shows whatever any read on any node has shown
	// before it. It costs a round trip, shared by the reads of the moment, and
	// is held for up to Timing.Hold while there is no leader.
	Linearizable bool
	// MinIndex is the FSM index, as an earlier answer told it, that the read must
	// not be behind. It is waited for, up to Timing.MinIndexWait; then ErrBehind.
	MinIndex uint64
}

// Applied returns the FSM index: that of the last command or configuration that
// new reads show.
func (n *Node) Applied() uint64 {
	if !n.running.Load() {
		return 0
	}
	return n.machine.applied.value.Load()
}

// readTries bounds how often a read does its work. One that takes longer than a
// lease would, while writes go on, be too old each time.
const readTries = 4

// Read calls f with a view of the state that shows every write which was
// acknowledged, on any node, before the call. Without a lease the call is held
// for a moment (Timing.LeaseWait), then fails with ErrUnavailable. f may run up to
// readTries times and must not have effects; its error is returned as it is. The
// view is f's only while it runs.
func (n *Node) Read(ctx context.Context, f func(v *store.View) error) error {
	return n.ReadWith(ctx, ReadOptions{}, f)
}

// ReadWith is Read with options.
func (n *Node) ReadWith(ctx context.Context, o ReadOptions, f func(v *store.View) error) error {
	fresh := n.freshness
	if o.Linearizable {
		fresh = n.leaderReads
	}
	for try := range readTries {
		if err := ctx.Err(); err != nil {
			return err // nobody waits for the answer any more
		}
		if n.fault.Load() != nil || n.stopping.Load() {
			return n.stopped()
		}
		ticket, err := fresh.Admit(ctx, try > 0)
		if err != nil {
			return err
		}
		if o.MinIndex > n.machine.applied.value.Load() {
			if err := n.reach(ctx, o.MinIndex); err != nil {
				return err
			}
		}
		view, err := n.store.View()
		if err != nil {
			return n.readFailed(err)
		}
		index := view.Index()
		if err = probe(view, f); errors.Is(err, store.ErrDamaged) {
			return n.readFailed(err)
		}
		if fresh.Check(ticket, index) == nil {
			return err
		}
	}
	n.metrics.leaseRefusals.Inc()
	return fmt.Errorf("%w: %d tries of a read were each overtaken by writes", ErrUnavailable, readTries)
}

// probe gives the view back also when f panics: an open view holds its pages, and
// a stop, for ever.
func probe(view *store.View, f func(v *store.View) error) error {
	defer view.Close()
	return f(view)
}

// reach waits until the state is at an index.
func (n *Node) reach(ctx context.Context, index uint64) error {
	limit, cancel := context.WithTimeout(ctx, n.cfg.Timing.MinIndexWait)
	defer cancel()
	if n.machine.applied.wait(limit, index) == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := n.stopped(); err != nil {
		return err
	}
	return fmt.Errorf("%w: it is at %d, asked for is %d", ErrBehind, n.machine.applied.value.Load(), index)
}

// readFailed sorts an error of the store itself: damage ends the process.
func (n *Node) readFailed(err error) error {
	if errors.Is(err, store.ErrClosed) {
		return ErrStopped
	}
	n.fail(fmt.Errorf("reading the state: %w", err))
	return fmt.Errorf("%w: %w", ErrStopped, err)
}
