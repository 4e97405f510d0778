package cluster

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Names in the data folder.
const (
	raftFile  = "raft.db"
	stateFile = "state.db"
	runMark   = "running" // there from start to clean stop

	// Why the last run ended, for the next start.
	badMark     = "state.damaged" // the state must be set aside
	suspectMark = "state.suspect" // it must be checked
	differsMark = "state.differs" // it must be set aside, and snapshots of it too

	// There while all of the state is read, or it is opened: a byte for each run
	// that ended meanwhile.
	readingMark = "state.reading"
)

// Keys of the identity, beside Raft's own in the conf bucket of raft.db. They
// lie there so that a fresh raft.db can never pass for the old one.
const (
	identityNode        = "meridian.node"
	identityIncarnation = "meridian.incarnation"
	identityFormed      = "meridian.formed"
	identityCluster     = "meridian.cluster" // cluster id and data epoch
	identityStart       = "meridian.start"   // counts the processes on this folder
	identityFloor       = "meridian.floor"   // highest label of a snapshot that was set aside
	identityPeer        = "meridian.peer."   // and the id of a voter: its incarnation
)

const incarnationBytes = 16

// identity is what a data folder knows about itself and, from before the region
// was formed, about the data folders of the other voters.
type identity struct {
	stable  raft.StableStore
	started bool // the folder had taken part when it was opened

	mu          sync.Mutex
	incarnation []byte
	formed      bool // has taken part, or may have taken part, in Raft
}

// openRaftFile opens raft.db, or makes it complete with an identity: under a
// temporary name first, because the first write of a bbolt file is not
// power-safe.
func openRaftFile(dir, node, region string) (db *raftboltdb.BoltStore, err error) {
	path := filepath.Join(dir, raftFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, stateFile)); err == nil {
			return nil, fmt.Errorf("%w: %s holds %s but no %s; %s", ErrNoLog, dir, stateFile, raftFile, staysAway)
		}
		if err := makeRaftFile(dir, node, region); err != nil {
			return nil, fmt.Errorf("making %s: %w", path, err)
		}
	}
	db, err = openBolt(path)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: %s is locked; stop the other one, or give this node a folder of its own", ErrInUse, path)
	}
	if errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch) {
		return nil, fmt.Errorf("%w: %s cannot be read: %w; %s", ErrNoLog, path, err, staysAway)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return db, nil
}

func openBolt(path string) (*raftboltdb.BoltStore, error) {
	return raftboltdb.New(raftOptions(path))
}

// raftOptions never has NoSync, in either place: a vote, a term or an entry that
// was answered has to be on disk.
func raftOptions(path string) raftboltdb.Options {
	return raftboltdb.Options{
		Path:                    path,
		MsgpackUseNewTimeFormat: true,
		BoltOptions: &bbolt.Options{
			Timeout:         time.Second,
			FreelistType:    bbolt.FreelistMapType,
			NoFreelistSync:  true,
			InitialMmapSize: 256 << 20,
		},
	}
}

func makeRaftFile(dir, node, region string) error {
	path := filepath.Join(dir, raftFile)
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openBolt(fresh)
	if err != nil {
		return err
	}
	incarnation := make([]byte, incarnationBytes)
	rand.Read(incarnation)
	checked := checkedLog{db}
	err = errors.Join(
		checked.Set([]byte(identityNode), []byte(region+"/"+node)),
		checked.Set([]byte(identityIncarnation), incarnation),
		db.Close(),
	)
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, path), syncDir(dir))
}

// loadIdentity reads the identity and checks that it is the configured node's.
func loadIdentity(stable raft.StableStore, node, region string) (*identity, error) {
	id := &identity{stable: stable}
	name, err := id.get(identityNode)
	if err != nil {
		return nil, err
	}
	if name == nil {
		return nil, fmt.Errorf("%w: %s is empty or new; %s", ErrNoLog, raftFile, staysAway)
	}
	if want := region + "/" + node; string(name) != want {
		return nil, fmt.Errorf("%w: it is the folder of %q, configured is %q", ErrForeignData, name, want)
	}
	if id.incarnation, err = id.get(identityIncarnation); err != nil {
		return nil, err
	}
	if len(id.incarnation) != incarnationBytes {
		return nil, fmt.Errorf("%w: %s has no incarnation", ErrForeignData, raftFile)
	}
	formed, err := id.get(identityFormed)
	id.formed = len(formed) > 0
	id.started = id.formed
	return id, err
}

// raiseStart counts a process that starts on this folder.
func (id *identity) raiseStart() (uint64, error) {
	start, err := id.number(identityStart)
	if err != nil {
		return 0, err
	}
	start++
	return start, id.stable.SetUint64([]byte(identityStart), start)
}

// raftTerm returns Raft's current term.
func (id *identity) raftTerm() (uint64, error) { return id.number("CurrentTerm") }

// snapshotFloor returns what raiseSnapshotFloor recorded.
func (id *identity) snapshotFloor() (uint64, error) { return id.number(identityFloor) }

// raiseSnapshotFloor records that this node has vouched for a log up to a
// snapshot's label, before the snapshot is taken away.
func (id *identity) raiseSnapshotFloor(label uint64) error {
	known, err := id.snapshotFloor()
	if err != nil || known >= label {
		return err
	}
	return id.stable.SetUint64([]byte(identityFloor), label)
}

// number returns 0 when the key is not there.
func (id *identity) number(key string) (uint64, error) {
	value, err := id.stable.GetUint64([]byte(key))
	if err != nil && isMissing(err) {
		return 0, nil
	}
	return value, err
}

// FirstStart reports whether no process before this one can have served from
// the node's data folder.
func (n *Node) FirstStart() bool { return !n.identity.started }

// get returns nil when the key is not there.
func (id *identity) get(key string) ([]byte, error) {
	value, err := id.stable.Get([]byte(key))
	if err != nil && isMissing(err) {
		return nil, nil
	}
	return value, err
}

func (id *identity) isFormed() bool {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.formed
}

// setFormed is called before the node takes part in Raft for the first time.
func (id *identity) setFormed() error {
	id.mu.Lock()
	defer id.mu.Unlock()
	if err := id.stable.Set([]byte(identityFormed), []byte{1}); err != nil {
		return err
	}
	id.formed = true
	return nil
}

// admitPeer records a voter's incarnation, on disk before it returns true. Once
// this node is formed only the recorded one is admitted: the voter may have
// voted, so other data must not speak for it. Before that a voter that starts
// anew replaces what it was: nobody can have counted its vote.
func (id *identity) admitPeer(peer string, incarnation []byte) (bool, error) {
	if len(incarnation) != incarnationBytes {
		return false, fmt.Errorf("incarnation of %d bytes", len(incarnation))
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	known, err := id.get(identityPeer + peer)
	if err != nil {
		return false, err
	}
	if bytes.Equal(known, incarnation) {
		return true, nil
	}
	if id.formed {
		return false, nil
	}
	if err := id.stable.Set([]byte(identityPeer+peer), incarnation); err != nil {
		return false, err
	}
	return true, nil
}

// bindCluster records the cluster that the log belongs to, once for ever for the
// id; the data epoch changes when a user restores a backup.
func (id *identity) bindCluster(clusterID, dataEpoch []byte) error {
	id.mu.Lock()
	defer id.mu.Unlock()
	known, err := id.get(identityCluster)
	if err != nil {
		return err
	}
	bound := append(append(make([]byte, 0, 32), clusterID...), dataEpoch...)
	if bytes.Equal(known, bound) {
		return nil
	}
	if len(known) > 0 && !bytes.HasPrefix(known, clusterID) {
		return fmt.Errorf("%w: the log is of cluster %x, the state of %x", ErrForeignData, known[:min(16, len(known))], clusterID)
	}
	return id.stable.Set([]byte(identityCluster), bound)
}

// cluster returns what bindCluster recorded, nil before.
func (id *identity) cluster() ([]byte, error) {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.get(identityCluster)
}
