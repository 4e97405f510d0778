package cluster

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"meridian/store"
)

const (
	snapshotsKept = 2
	// Raft's own names below the data folder.
	snapshotsDir  = "snapshots"
	snapshotState = "state.bin"

	// How often a snapshot that is written looks at the free space.
	spaceCheckBytes = 16 << 20
)

// snapshots is Raft's snapshot store on disk. It stops a snapshot, also one that
// the leader sends, before it fills the volume.
type snapshots struct {
	*raft.FileSnapshotStore
	dir  string
	free func(dir string) (uint64, error)
	keep uint64 // bytes that must stay free

	// onlyNewest hides all but the newest snapshot. The start checks have
	// compared the log with that one; restoring an older one instead would leave
	// a gap between it and the log.
	onlyNewest atomic.Bool
}

func openSnapshots(dir string, d Disk, log hclog.Logger) (*snapshots, error) {
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, log)
	if err != nil {
		return nil, fmt.Errorf("snapshot folder: %w", err)
	}
	return &snapshots{FileSnapshotStore: files, dir: dir, free: d.Free, keep: d.MinFree / 2}, nil
}

func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	list, err := s.FileSnapshotStore.List()
	if s.onlyNewest.Load() && len(list) > 1 {
		list = list[:1]
	}
	return list, err
}

// newest returns the label of the newest snapshot and the index of the state
// inside it, both 0 when there is none.
func (s *snapshots) newest() (label, inside uint64, err error) {
	list, err := s.FileSnapshotStore.List()
	if err != nil || len(list) == 0 {
		return 0, 0, err
	}
	f, err := os.Open(filepath.Join(s.dir, snapshotsDir, list[0].ID, snapshotState))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	inside, err = store.SnapshotIndex(f)
	if err != nil {
		return 0, 0, fmt.Errorf("snapshot %s: %w", list[0].ID, err)
	}
	return list[0].Index, inside, nil
}

func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, transport raft.Transport) (raft.SnapshotSink, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	sink, err := s.FileSnapshotStore.Create(version, index, term, configuration, configurationIndex, transport)
	if err != nil {
		return nil, err
	}
	return &boundedSink{SnapshotSink: sink, snapshots: s}, nil
}

func (s *snapshots) room() error {
	left, err := s.free(s.dir)
	if err != nil {
		return err
	}
	if left < s.keep {
		return fmt.Errorf("cluster: no room for a snapshot: %d bytes are free, %d must stay free", left, s.keep)
	}
	return nil
}

type boundedSink struct {
	raft.SnapshotSink
	snapshots *snapshots
	unchecked int
}

func (s *boundedSink) Write(p []byte) (int, error) {
	if s.unchecked += len(p); s.unchecked >= spaceCheckBytes {
		s.unchecked = 0
		if err := s.snapshots.room(); err != nil {
			return 0, err
		}
	}
	return s.SnapshotSink.Write(p)
}

var _ io.Writer = (*boundedSink)(nil)
