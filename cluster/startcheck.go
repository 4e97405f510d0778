package cluster

import (
	"bytes"
	"fmt"
)

// dataAtStart is what the data folder holds before Raft runs. Indexes are 0
// where there is nothing.
type dataAtStart struct {
	stateLost   bool   // no state file, or it was set aside
	distrusted  bool   // the state differed from the other nodes', so snapshots of it may too
	applied     uint64 // of the state: the last command or configuration in it
	appliedTerm uint64
	snapshot    uint64 // newest usable snapshot: index that Raft labelled it with
	snapshotFSM uint64 // newest usable snapshot: applied index of the state inside it
	floor       uint64 // highest label that any snapshot here ever had, usable or not
	floorTerm   uint64 // highest term of a snapshot here
	first, last uint64 // of the log
	term        uint64 // Raft's, as stored

	logCluster   []byte // cluster id and data epoch in raft.db; nil: never bound
	stateCluster []byte // the same in the state; nil: it has no region yet
}

// recovery is the next step towards a state that Raft can go on from.
type recovery uint8

const (
	keepState       recovery = iota // nothing to do: the log follows on
	restoreSnapshot                 // take the newest snapshot of this node for the state
	labelState                      // make a snapshot of the state: none connects it to the log
	fetchState                      // ask another node for a snapshot
)

// next decides how the state becomes one that Raft can go on from, or why the
// node must not start. Raft itself would take a state without its beginning for
// complete, and panic at a gap.
func (d *dataAtStart) next() (recovery, error) {
	if err := d.refuse(); err != nil {
		return keepState, err
	}
	if d.distrusted {
		return fetchState, nil
	}
	// What snapshots covered must stay covered: the node has vouched for it.
	covered := func(label uint64) bool {
		return max(d.last, label) >= d.floor && (d.last == 0 || d.first <= label+1)
	}
	switch {
	case covered(d.snapshot) && d.applied >= d.snapshotFSM:
		// The label of a snapshot may lie above the index inside it, by entries
		// that no state machine sees: only the inner index is compared.
		return keepState, nil
	case covered(d.snapshot):
		return restoreSnapshot, nil
	case !d.stateLost && covered(d.applied):
		return labelState, nil
	}
	return fetchState, nil
}

// refuse tells a folder whose log cannot be trusted: the state can be had from
// elsewhere, but not what this node has promised to the others.
func (d *dataAtStart) refuse() error {
	end := max(d.last, d.snapshot, d.floor)
	switch {
	case d.logCluster != nil && d.stateCluster != nil && !bytes.Equal(d.logCluster, d.stateCluster):
		return fmt.Errorf("%w: the log is of cluster %x, the state of cluster %x; %s", ErrForeignData, d.logCluster, d.stateCluster, staysAway)
	case d.applied > end:
		return fmt.Errorf("%w: the state has applied %d, log and snapshot end at %d; %s", ErrLogTail, d.applied, end, staysAway)
	case d.appliedTerm > max(d.term, d.floorTerm):
		return fmt.Errorf("%w: the state has applied an entry of term %d, log and snapshot know of term %d only; %s", ErrLogTail, d.appliedTerm, max(d.term, d.floorTerm), staysAway)
	case d.logCluster != nil && end == 0:
		return fmt.Errorf("%w: it is empty, yet the node has taken part in a region; %s", ErrLogTail, staysAway)
	}
	return nil
}

// needs is the index that a snapshot of another node must cover.
func (d *dataAtStart) needs() uint64 {
	if d.last == 0 {
		return d.floor
	}
	return max(d.floor, d.first-1)
}
