package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// transferLimit bounds the hand-over of leadership at a clean stop.
const transferLimit = 2 * time.Second

// Shutdown stops the node in order: not ready, leadership handed over, a snapshot
// if the log has grown, Raft stopped, files closed. When ctx ends, what remains
// of the first steps is left out; the files are closed in any case.
func (n *Node) Shutdown(ctx context.Context) error {
	n.stopping.Store(true)
	if n.running.Load() && n.fault.Load() == nil {
		n.handOver(ctx)
		n.leases.leave(ctx)
		n.snapshotBeforeStop(ctx)
	}
	clean := n.fault.Load() == nil
	err := n.close()
	if err == nil && clean {
		err = unmark(n.cfg.DataDir, runMark)
	}
	return err
}

// Abort stops the node at once, as a crash would: its connections break, nothing
// is handed over, and the next start counts as one after a crash.
func (n *Node) Abort() error {
	n.stopping.Store(true)
	return n.close()
}

// handOver gives leadership to another voter, so that an orderly stop costs no
// election timeout.
func (n *Node) handOver(ctx context.Context) {
	if n.raft.State() != raft.Leader || len(n.cfg.Voters) == 1 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, transferLimit)
	defer cancel()
	if err := n.futures.give(ctx, n.raft.LeadershipTransfer); err != nil {
		n.log.Warn("leadership was not handed over", "error", err)
	}
}

// snapshotBeforeStop trims the log of a quiet region, which never reaches the
// threshold.
func (n *Node) snapshotBeforeStop(ctx context.Context) {
	if err := n.snapshotIfChanged(ctx); err != nil {
		n.log.Warn("no snapshot at stop", "error", err)
	}
}

// close stops everything that was started, in reverse. It may be called again.
func (n *Node) close() (err error) {
	n.down.Do(func() {
		n.running.Store(false)
		n.cancel()
		// Connections first: Raft waits for requests that are under way.
		if n.raftNet != nil {
			_ = n.raftNet.Close()
		}
		if n.transport != nil {
			err = errors.Join(err, n.transport.Close())
		}
		n.futures.close(drainLimit)
		if n.raft != nil {
			err = errors.Join(err, n.raft.Shutdown().Error())
		}
		n.spawns.Lock()
		n.closed = true
		n.spawns.Unlock()
		n.wg.Wait()
		if n.metrics != nil {
			n.metrics.unregister(n.cfg.Metrics)
		}
		if n.ciphers != nil {
			n.ciphers.close()
		}
		n.dataKeys.close()
		if ring := n.keyring.Swap(nil); ring != nil {
			ring.Close()
		}
		if n.store != nil {
			err = errors.Join(err, n.store.Close())
		}
		if n.raftDB != nil {
			err = errors.Join(err, n.raftDB.Close())
		}
	})
	return err
}
