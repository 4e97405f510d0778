package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"meridian/store"
)

// checkAfterCrash marks the node as running. If the mark of the last run is still
// there, that run did not stop cleanly, and the whole state is checked in the
// background, a while after the start so that answers come first.
func (n *Node) checkAfterCrash() error {
	crashed, err := hasMark(n.cfg.DataDir, runMark)
	if err != nil {
		return err
	}
	if !crashed {
		return markFile(n.cfg.DataDir, runMark)
	}
	n.spawn(func() {
		select {
		case <-time.After(n.cfg.Timing.CheckDelay):
		case <-n.ctx.Done():
			return
		}
		started := time.Now()
		switch err := n.checkMarked(n.ctx); {
		case n.ctx.Err() != nil:
		case errors.Is(err, store.ErrDamaged):
			n.fail(err)
		case err != nil:
			n.log.Warn("the state was not checked after an unclean stop", "error", err)
		default:
			n.log.Info("the state was checked after an unclean stop", "took", time.Since(started))
		}
	})
	return nil
}

// checkMarked is checkState with a mark, for the next start, that it is under way.
func (n *Node) checkMarked(ctx context.Context) error {
	call := n.watch.enter("mark: state is read")
	_, err := countMark(n.cfg.DataDir, readingMark)
	n.watch.leave(call)
	if err != nil {
		return err
	}
	err = n.checkState(ctx)
	call = n.watch.enter("mark: state was read")
	defer n.watch.leave(call)
	return errors.Join(err, unmark(n.cfg.DataDir, readingMark))
}

// checkState checks the whole state, but for the file's own structure where the
// disk has no room for the copy that takes.
func (n *Node) checkState(ctx context.Context) error {
	size, err := n.store.Size()
	if err != nil {
		return err
	}
	free, err := n.cfg.Disk.Free(n.cfg.DataDir)
	if err != nil {
		return err
	}
	if free < uint64(size)+n.cfg.Disk.MinFree {
		n.log.Warn("the disk has no room to check the structure of the state file: only its records are checked", "free_bytes", free, "needed_bytes", size)
		return n.store.CheckRecords(ctx)
	}
	return n.store.Check(ctx)
}

// keepSnapshots makes a snapshot at least every SnapshotMaxAge: Raft's own
// threshold is never reached in a quiet region, and its log would grow for ever.
func (n *Node) keepSnapshots() {
	ticker := time.NewTicker(n.cfg.Timing.SnapshotMaxAge)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := n.snapshotIfChanged(n.ctx); err != nil && n.ctx.Err() == nil {
				n.log.Warn("no snapshot by time", "error", err)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// snapshotIfChanged makes a snapshot unless the newest one holds the state as it
// is.
func (n *Node) snapshotIfChanged(ctx context.Context) error {
	newest, inside, err := n.snapshots.newest()
	if err == nil && newest != nil && inside >= n.machine.applied.value.Load() {
		return nil
	}
	if err != nil {
		n.log.Warn("the newest snapshot cannot be used: another is made", "error", err)
	}
	err = n.futures.give(ctx, func() raft.Future { return n.raft.Snapshot() })
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}

// backoff waits longer after each failure, with jitter. It returns false when
// ctx ends.
type backoff struct{ least, most, next time.Duration }

func (b *backoff) wait(ctx context.Context) bool {
	if b.next == 0 {
		b.next = b.least
	}
	timer := time.NewTimer(jitter(b.next))
	defer timer.Stop()
	b.next = min(2*b.next, b.most)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (b *backoff) reset() { b.next = 0 }
