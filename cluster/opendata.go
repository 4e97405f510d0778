package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"meridian/store"
)

// openData opens the files of the data folder, sets aside what is damaged, and
// describes what they hold.
func (n *Node) openData(ctx context.Context) (*dataAtStart, error) {
	d := new(dataAtStart)
	dir := n.cfg.DataDir
	db, err := openRaftFile(dir, n.cfg.NodeID, n.cfg.Region)
	if err != nil {
		return nil, err
	}
	n.raftDB = db
	n.raftStore = &raftStore{backend: checkedLog{db}, watch: n.watch, fail: n.fail, observe: n.metrics.storage}
	if n.identity, err = loadIdentity(n.raftStore, n.cfg.NodeID, n.cfg.Region); err != nil {
		return nil, err
	}
	if n.snapshots, err = openSnapshots(dir, n.cfg.Disk, newRaftLogger(n.log)); err != nil {
		return nil, err
	}
	n.raftStore.labelled = n.snapshots.labelled
	if err := n.openState(ctx, d); err != nil {
		return nil, err
	}
	if err := n.findSnapshot(d); err != nil {
		return nil, err
	}
	if d.first, err = n.raftStore.FirstIndex(); err != nil {
		return nil, err
	}
	if d.last, err = n.raftStore.LastIndex(); err != nil {
		return nil, err
	}
	if d.term, err = n.identity.raftTerm(); err != nil {
		return nil, err
	}
	return d, n.describeState(d)
}

// readersLost is how many runs in a row may end while they read the state. Where a
// damaged page leads bbolt back to itself, it descends until the process ends, and
// no error ever tells; one run may have been killed just then.
const readersLost = 2

// openState opens the state file. One that is damaged, or that an earlier run
// found so, is set aside, and an empty one made in its place.
func (n *Node) openState(ctx context.Context, d *dataAtStart) (err error) {
	path := filepath.Join(n.cfg.DataDir, stateFile)
	if err := n.obeyMarks(d, path); err != nil {
		return err
	}
	suspect, err := hasMark(n.cfg.DataDir, suspectMark)
	if err != nil {
		return err
	}
	ended, err := countMark(n.cfg.DataDir, readingMark)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unmark(n.cfg.DataDir, readingMark)) }()
	switch {
	case ended >= readersLost:
		n.log.Error("the last runs ended while they read the state file: it is set aside and rebuilt", "runs", ended)
		if err := n.setAside(path, stateFile, "damaged"); err != nil {
			return err
		}
	case ended > 0:
		suspect = true
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		d.stateLost = true
	}
	cfg := store.Config{Path: path, MaxSize: n.cfg.Disk.MaxStateSize, Logger: n.log}
	n.store, err = store.Open(cfg)
	if err == nil {
		err = n.examineState(ctx, suspect)
	}
	if errors.Is(err, store.ErrDamaged) {
		n.log.Error("the state file is damaged: it is set aside and rebuilt", "error", err)
		if n.store != nil {
			_ = n.store.Close() // what it holds does not count any more
		}
		if err := n.setAside(path, stateFile, "damaged"); err != nil {
			return err
		}
		d.stateLost = true
		n.store, err = store.Open(cfg)
	}
	if err != nil {
		return err
	}
	return unmark(n.cfg.DataDir, suspectMark)
}

// obeyMarks sets aside what an earlier run found wrong with the state.
func (n *Node) obeyMarks(d *dataAtStart, path string) error {
	differs, err := hasMark(n.cfg.DataDir, differsMark)
	if err != nil {
		return err
	}
	if differs {
		n.log.Error("the state differed from the other nodes': it is set aside and fetched from them")
		d.distrusted, d.stateLost = true, true
		if err := n.setAside(path, stateFile, "differing"); err != nil {
			return err
		}
		return n.setSnapshotsAside(d)
	}
	bad, err := hasMark(n.cfg.DataDir, badMark)
	if err != nil || !bad {
		return err
	}
	n.log.Error("the state file was found damaged: it is set aside and rebuilt")
	d.stateLost = true
	return errors.Join(n.setAside(path, stateFile, "damaged"), unmark(n.cfg.DataDir, badMark))
}

// examineState reads what the start needs, and all of it after a run that ended
// while it applied an entry: on a damaged page bbolt panics, again at each start.
func (n *Node) examineState(ctx context.Context, suspect bool) error {
	if suspect {
		n.log.Warn("the last run ended while it applied an entry or read the state: the whole state is checked")
		if err := n.checkState(ctx); err != nil {
			return err
		}
	}
	v, err := n.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	if _, _, err := v.Node(n.cfg.NodeID); err != nil {
		return err
	}
	_, _, err = v.Configuration()
	return err
}

// setAside keeps a file or folder under a name that says why, in place of an
// earlier one of the same kind that was set aside for the same reason.
func (n *Node) setAside(path, kind, why string) error {
	prefix := filepath.Join(n.cfg.DataDir, kind+"."+why+"-")
	older, err := filepath.Glob(prefix + "*")
	if err != nil {
		return err
	}
	name := prefix + n.cfg.Now().UTC().Format("20060102T150405.000000")
	for i := 1; ; i++ { // several may be set aside within a moment
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			break
		}
		name = fmt.Sprintf("%s%s-%d", prefix, n.cfg.Now().UTC().Format("20060102T150405.000000"), i)
	}
	err = os.Rename(path, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range older {
		err = errors.Join(err, os.RemoveAll(name))
	}
	return errors.Join(err, syncDir(n.cfg.DataDir))
}

// findSnapshot finds the newest snapshot that can be read, as far as its ends
// tell, and sets others aside.
func (n *Node) findSnapshot(d *dataAtStart) error {
	var err error
	if d.floor, err = n.identity.snapshotFloor(); err != nil {
		return err
	}
	for {
		newest, inside, err := n.snapshots.newest()
		if newest == nil {
			d.snapshot, d.snapshotFSM = 0, 0
			return err
		}
		d.floor, d.floorTerm = max(d.floor, newest.Index), max(d.floorTerm, newest.Term)
		if err == nil {
			d.snapshot, d.snapshotFSM = newest.Index, inside
			return nil
		}
		if !errors.Is(err, store.ErrSnapshot) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := n.setSnapshotAside(newest.ID, newest.Index, "damaged", err); err != nil {
			return err
		}
	}
}

// setSnapshotAside takes a snapshot away from Raft, but not what it stood for.
func (n *Node) setSnapshotAside(id string, label uint64, why string, cause error) error {
	n.log.Error("a snapshot is set aside", "snapshot", id, "error", cause)
	if err := n.identity.raiseSnapshotFloor(label); err != nil {
		return err
	}
	// Out of Raft's folder, where it would still be found.
	return n.setAside(filepath.Join(n.cfg.DataDir, snapshotsDir, id), "snapshot", why)
}

// setSnapshotsAside takes all snapshots away.
func (n *Node) setSnapshotsAside(d *dataAtStart) error {
	for {
		newest, _, err := n.snapshots.newest()
		if newest == nil {
			return err
		}
		d.floorTerm = max(d.floorTerm, newest.Term)
		if err := n.setSnapshotAside(newest.ID, newest.Index, "differing", ErrDiffers); err != nil {
			return err
		}
	}
}

// describeState reads whose state it is and how far, and refuses another
// region's or node's.
func (n *Node) describeState(d *dataAtStart) (err error) {
	if d.logCluster, err = n.identity.cluster(); err != nil {
		return err
	}
	d.applied, d.appliedTerm = n.store.Applied()
	v, err := n.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	region, ok := v.Region()
	if !ok {
		return nil
	}
	d.stateCluster = append(append(make([]byte, 0, 32), region.ClusterID...), region.DataEpoch...)
	if region.Region != n.cfg.Region || region.Account != n.cfg.Account {
		return fmt.Errorf("%w: the state is of region %q, account %q; configured are %q and %q",
			ErrForeignData, region.Region, region.Account, n.cfg.Region, n.cfg.Account)
	}
	node, ok, err := v.Node(n.cfg.NodeID)
	if err != nil {
		return err
	}
	if ok && string(node.Incarnation) != string(n.identity.incarnation) {
		return fmt.Errorf("%w: the state beside %s is of another data folder of node %q", ErrReplaced, raftFile, n.cfg.NodeID)
	}
	return nil
}
