package cluster

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

func TestWatchdogReportsAStalledCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Second
		stalled := make(chan error, 1)
		w := newWatchdog(limit, func(err error) { stalled <- err })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.run(ctx)

		quick := w.enter("quick")
		time.Sleep(limit - time.Second)
		w.leave(quick)
		slow := w.enter("raft log: append")
		time.Sleep(limit - time.Second)
		select {
		case err := <-stalled:
			t.Fatalf("too early: %v", err)
		default:
		}
		time.Sleep(2 * time.Second)
		select {
		case err := <-stalled:
			if !errors.Is(err, ErrDisk) || !strings.Contains(err.Error(), "raft log: append") {
				t.Errorf("error %v does not name the call", err)
			}
		default:
			t.Error("no report of a call over the limit")
		}
		w.leave(slow)
	})
}

// A process that was stopped for long gets no ticks meanwhile: its calls are not
// over the limit when it goes on.
func TestWatchdogDoesNotTakeAPauseForAStall(t *testing.T) {
	w := newWatchdog(time.Second, func(error) { t.Error("reported") })
	call := w.enter("append")
	for range watchTicks { // however long ago the last tick was
		if name, over := w.advance(); over {
			t.Fatalf("%s over the limit after a pause", name)
		}
	}
	w.leave(call)
	for range 2 * watchTicks {
		if _, over := w.advance(); over {
			t.Fatal("a finished call is over the limit")
		}
	}
}

// faultyLog fails or blocks every call.
type faultyLog struct {
	logBackend
	err   error
	block chan struct{}
}

func (f *faultyLog) StoreLogs([]*raft.Log) error {
	if f.block != nil {
		<-f.block
	}
	return f.err
}
func (f *faultyLog) GetLog(uint64, *raft.Log) error { return f.err }
func (f *faultyLog) Set([]byte, []byte) error       { return f.err }
func (f *faultyLog) Get([]byte) ([]byte, error)     { return nil, f.err }
func (f *faultyLog) GetUint64([]byte) (uint64, error) {
	return 0, f.err
}

func TestErrorsOfTheRaftLogEndTheProcess(t *testing.T) {
	disk := errors.New("input/output error")
	for name, test := range map[string]struct {
		err   error
		call  func(*raftStore) error
		fatal bool
	}{
		"append":         {disk, func(s *raftStore) error { return s.StoreLogs(nil) }, true},
		"read":           {disk, func(s *raftStore) error { return s.GetLog(1, nil) }, true},
		"set":            {disk, func(s *raftStore) error { return s.Set(nil, nil) }, true},
		"entry not here": {raft.ErrLogNotFound, func(s *raftStore) error { return s.GetLog(1, nil) }, false},
		"key not here":   {raftboltdb.ErrKeyNotFound, func(s *raftStore) error { _, err := s.Get(nil); return err }, false},
		"number missing": {raftboltdb.ErrKeyNotFound, func(s *raftStore) error { _, err := s.GetUint64(nil); return err }, false},
	} {
		t.Run(name, func(t *testing.T) {
			var fault error
			s := &raftStore{backend: &faultyLog{err: test.err}, watch: newWatchdog(time.Second, nil), fail: func(err error) { fault = err }}
			if err := test.call(s); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if (fault != nil) != test.fatal {
				t.Errorf("fault %v, want one: %v", fault, test.fatal)
			}
			if test.fatal && !errors.Is(fault, errStorage) {
				t.Errorf("fault %v is not one of storage", fault)
			}
		})
	}
}

func TestSpaceRefusesWritesBeforeTheDiskIsFull(t *testing.T) {
	var free uint64 = 100 << 20
	s := newSpace(t.TempDir(), Disk{MinFree: 40 << 20, Reserve: 1 << 20, Free: func(string) (uint64, error) { return free, nil }}, slog.New(slog.DiscardHandler))
	reserve := func() bool { _, err := os.Stat(s.path()); return err == nil }
	for _, step := range []struct {
		free         uint64
		low, reserve bool
	}{
		{100 << 20, false, true}, // made at the first look
		{40 << 20, false, true},  // exactly at the mark
		{40<<20 - 1, true, true}, // one byte below
		{10<<20 - 1, true, false},
		{30 << 20, true, false}, // not made again while space is low
		{50 << 20, false, true},
	} {
		free = step.free
		s.look()
		if s.Low() != step.low || reserve() != step.reserve {
			t.Errorf("%d bytes free: low %v, reserve %v; want %v, %v", step.free, s.Low(), reserve(), step.low, step.reserve)
		}
	}
	if info, err := os.Stat(s.path()); err != nil || info.Size() != 1<<20 || info.Mode().Perm() != 0o600 {
		t.Errorf("reserve file: %v, %v", info, err)
	}
}

func TestProbeDisk(t *testing.T) {
	dir := t.TempDir()
	if err := probeDisk(t.Context(), dir, time.Second); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("probe left %v", left)
	}
	err := probeDisk(t.Context(), filepath.Join(dir, "missing"), time.Second)
	if !errors.Is(err, ErrDisk) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want ErrDisk with its cause", err)
	}
}

func TestProbeOfAFullDiskGivesTheReserveUp(t *testing.T) {
	dir := t.TempDir()
	s := newSpace(dir, Disk{Reserve: 1}, slog.New(slog.DiscardHandler))
	full := func() { // each write to the link fails with ENOSPC; the probe removes it
		t.Helper()
		if err := os.Symlink("/dev/full", filepath.Join(dir, "probe")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(s.path(), []byte{1}, 0o600); err != nil {
		t.Fatal(err)
	}
	full()
	if err := s.probe(t.Context(), 10*time.Second); err != nil {
		t.Errorf("with a reserve: %v", err)
	}
	if _, err := os.Stat(s.path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the reserve is still there: %v", err)
	}
	if err := s.probe(t.Context(), 10*time.Second); err != nil {
		t.Errorf("with room: %v", err)
	}
}

func TestSnapshotStopsBeforeTheDiskIsFull(t *testing.T) {
	free := uint64(100 << 20)
	s, err := openSnapshots(t.TempDir(), Disk{MinFree: 20 << 20, Free: func(string) (uint64, error) { return free, nil }}, newRaftLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	create := func() (raft.SnapshotSink, error) {
		return s.Create(1, 10, 1, raft.Configuration{}, 1, nil)
	}
	sink, err := create()
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	if _, err := sink.Write(chunk); err != nil {
		t.Fatal(err)
	}
	free = 10<<20 - 1
	for range 2 * settleBytes / len(chunk) {
		if _, err = sink.Write(chunk); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("a snapshot goes on though the disk is nearly full")
	}
	if err := sink.Cancel(); err != nil {
		t.Error(err)
	}
	if _, err := create(); err == nil {
		t.Error("a snapshot begins though the disk is nearly full")
	}
}
