package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"meridian/store"
)

// heal brings the state to where Raft can go on from it, before Raft runs. It
// takes the nearest source: the state itself, this node's snapshot, another
// node. Raft's term, vote and log stay as they are.
func (n *Node) heal(ctx context.Context, d *dataAtStart) error {
	var last recovery
	for {
		step, err := d.next()
		if err != nil {
			return err
		}
		switch step {
		case keepState:
			return n.healed(d, last)
		case restoreSnapshot:
			err = n.restoreNewest(d)
		case labelState:
			n.log.Warn("no snapshot connects the log to the state: one is made of the state", "applied", d.applied, "log_begins", d.first)
			err = n.snapshotState(n.store)
		case fetchState:
			if err = n.seed(ctx, d); err == nil {
				d.distrusted = false
			}
		}
		if err != nil {
			return err
		}
		last = max(last, step)
		if err := errors.Join(n.findSnapshot(d), n.describeState(d)); err != nil {
			return err
		}
	}
}

// healed notes what heal has done, the costliest step of it.
func (n *Node) healed(d *dataAtStart, last recovery) error {
	source := last.String()
	if last == keepState {
		source = ""
		if d.stateLost && d.last > 0 {
			source = "log" // all of it is there, and Raft hands it over again
		}
	}
	if source != "" {
		n.metrics.rebuilt(source, n.cfg.Now())
		n.log.Info("the state is rebuilt", "from", source, "applied", d.applied)
	}
	return unmark(n.cfg.DataDir, differsMark)
}

// String is what the state came from.
func (r recovery) String() string {
	return [...]string{"kept", "snapshot", "state", "peer"}[r]
}

// restoreNewest takes this node's newest snapshot for the state, checked to the
// last record. One that does not pass is set aside.
func (n *Node) restoreNewest(d *dataAtStart) error {
	meta, _, err := n.snapshots.newest()
	if err != nil {
		return err
	}
	_, content, err := n.snapshots.Open(meta.ID) // reads all of it
	if err == nil {
		n.log.Info("the state is restored from a snapshot", "snapshot", meta.ID)
		err = n.store.Restore(content)
		content.Close()
		switch {
		case err == nil:
			d.stateLost = false
			return nil
		case errors.Is(err, store.ErrForeignSnapshot):
			return fmt.Errorf("%w: %w; %s", ErrForeignData, err, staysAway)
		case !errors.Is(err, store.ErrSnapshot) && !errors.Is(err, store.ErrDamaged):
			return fmt.Errorf("restoring snapshot %s: %w", meta.ID, err)
		}
	}
	return n.setSnapshotAside(meta.ID, meta.Index, "damaged", err)
}

// snapshotState makes a Raft snapshot of the state as it is, labelled with the
// entry that was applied last.
func (n *Node) snapshotState(s *store.Store) (err error) {
	sn, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer sn.Release()
	index, configuration, err := sn.Configuration()
	if err != nil {
		return err
	}
	if len(configuration) == 0 {
		return fmt.Errorf("%w: the state at %d knows no members", ErrLogGap, sn.Index())
	}
	sink, err := n.snapshots.Create(raft.SnapshotVersionMax, sn.Index(), sn.Term(), raft.DecodeConfiguration(configuration), index, addressBook{})
	if err != nil {
		return err
	}
	return machineSnapshot{sn, n.ctx, n.unserving}.Persist(sink)
}

// unserving says that nobody is served now, before the node takes part or while
// it stops.
func (n *Node) unserving() bool { return !n.running.Load() || n.stopping.Load() }

// addressBook is the part of a Raft transport that the label of a snapshot
// needs.
type addressBook struct{ raft.Transport }

func (addressBook) EncodePeer(_ raft.ServerID, address raft.ServerAddress) []byte {
	return []byte(address)
}

// reportEvery is how often a node that waits for others says so.
const reportEvery = 5 * time.Second
