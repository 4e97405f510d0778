package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"meridian/store"
)

const (
	snapshotsKept = 2
	// Raft's own names below the data folder.
	snapshotsDir  = "snapshots"
	snapshotState = "state.bin"

	// How often a snapshot that is written looks at the free space, and waits until
	// the disk has it: the state and the log on the same disk would else wait for
	// all of it at its end.
	settleBytes = 2 << 20
)

// snapshots is Raft's snapshot store on disk. It stops a snapshot, also one that
// the leader sends, before it fills the volume.
type snapshots struct {
	*raft.FileSnapshotStore
	dir  string
	free func(dir string) (uint64, error)
	keep uint64 // bytes that must stay free
}

func openSnapshots(dir string, d Disk, log hclog.Logger) (*snapshots, error) {
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, log)
	if err != nil {
		return nil, fmt.Errorf("snapshot folder: %w", err)
	}
	// Raft leaves over what it was writing when it was killed.
	left, err := filepath.Glob(filepath.Join(dir, snapshotsDir, "*.tmp"))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return &snapshots{FileSnapshotStore: files, dir: dir, free: d.Free, keep: d.MinFree / 2}, nil
}

// newest returns the newest snapshot and the index of the state inside it; nil
// when there is none. An error with a snapshot is that snapshot's.
func (s *snapshots) newest() (meta *raft.SnapshotMeta, inside uint64, err error) {
	list, err := s.List()
	if err != nil || len(list) == 0 {
		return nil, 0, err
	}
	f, err := os.Open(filepath.Join(s.dir, snapshotsDir, list[0].ID, snapshotState))
	if err != nil {
		return list[0], 0, err
	}
	defer f.Close()
	inside, err = store.SnapshotIndex(f)
	if err != nil {
		return list[0], 0, fmt.Errorf("snapshot %s: %w", list[0].ID, err)
	}
	return list[0], inside, nil
}

// labelled returns the term of the entry that a snapshot with this index ends with.
func (s *snapshots) labelled(index uint64) (term uint64, ok bool) {
	list, err := s.List()
	if err != nil {
		return 0, false // the entry is missing, then
	}
	for _, meta := range list {
		if meta.Index == index {
			return meta.Term, true
		}
	}
	return 0, false
}

func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, configurationIndex uint64, transport raft.Transport) (raft.SnapshotSink, error) {
	if err := s.room(); err != nil {
		return nil, err
	}
	sink, err := s.FileSnapshotStore.Create(version, index, term, configuration, configurationIndex, transport)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(s.dir, snapshotsDir, sink.ID()+".tmp", snapshotState))
	if err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	return &boundedSink{SnapshotSink: sink, snapshots: s, file: file}, nil
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
	file      *os.File // what the sink writes
	unsettled int
}

func (s *boundedSink) Write(p []byte) (int, error) {
	if s.unsettled += len(p); s.unsettled >= settleBytes {
		s.unsettled = 0
		if err := s.snapshots.room(); err != nil {
			return 0, err
		}
		if err := s.file.Sync(); err != nil {
			return 0, err
		}
	}
	return s.SnapshotSink.Write(p)
}

func (s *boundedSink) Close() error {
	_ = s.file.Close() // nothing was written through it
	return s.SnapshotSink.Close()
}

func (s *boundedSink) Cancel() error {
	_ = s.file.Close() // nothing was written through it
	return s.SnapshotSink.Cancel()
}

var _ io.Writer = (*boundedSink)(nil)
