package cluster

import (
	"bytes"
	"fmt"
)

// dataAtStart is what the data folder holds before Raft runs. Indexes are 0
// where there is nothing.
type dataAtStart struct {
	stateLost   bool   // no state file, or it was set aside as damaged
	applied     uint64 // of the state: the last command or configuration in it
	snapshot    uint64 // newest snapshot: index that Raft labelled it with
	snapshotFSM uint64 // newest snapshot: applied index of the state inside it
	first, last uint64 // of the log

	logCluster   []byte // cluster id and data epoch in raft.db; nil: never bound
	stateCluster []byte // the same in the state; nil: it has no region yet
}

// check decides whether the state must be restored from the newest snapshot
// before the log is replayed, or why the node must not start. Raft itself would
// take a state without its beginning for complete, and panic at a gap.
func (d dataAtStart) check() (restore bool, err error) {
	if d.logCluster != nil && d.stateCluster != nil && !bytes.Equal(d.logCluster, d.stateCluster) {
		return false, fmt.Errorf("%w: the log is of cluster %x, the state of cluster %x; %s", ErrForeignData, d.logCluster, d.stateCluster, staysAway)
	}
	if d.applied > max(d.last, d.snapshot) {
		return false, fmt.Errorf("%w: the state has applied %d, log and snapshot end at %d; %s", ErrLogTail, d.applied, max(d.last, d.snapshot), staysAway)
	}
	if d.last > 0 && d.first > d.snapshot+1 {
		return false, fmt.Errorf("%w: the log begins at %d, the newest snapshot ends at %d; %s", ErrLogGap, d.first, d.snapshot, staysAway)
	}
	// The label of a snapshot may lie above the index inside it, by entries that
	// no state machine sees: only the inner index can be compared with the state.
	return d.stateLost && d.snapshot > 0 || d.applied < d.snapshotFSM, nil
}
