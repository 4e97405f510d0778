package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	spaceInterval = 5 * time.Second
	reserveName   = "reserve"
)

// space watches the free bytes of the data volume. Below the low-water mark
// writes are refused before they are proposed, so that the log, snapshots and
// deletions still fit; below a quarter of it the reserve file is given up as
// well, and made again when there is room.
type space struct {
	dir      string
	lowWater uint64
	reserve  int64
	free     func(dir string) (uint64, error)
	log      *slog.Logger

	left  atomic.Uint64
	low   atomic.Bool
	looks atomic.Int64 // in a row that found space low
}

func newSpace(dir string, d Disk, log *slog.Logger) *space {
	return &space{dir: dir, lowWater: d.MinFree, reserve: d.Reserve, free: d.Free, log: log}
}

// Low reports whether writes must be refused.
func (s *space) Low() bool { return s.low.Load() }

// StaysLow reports whether space was low at the look before the last one, too.
func (s *space) StaysLow() bool { return s.looks.Load() > 1 }

// run looks at the volume until ctx ends.
func (s *space) run(ctx context.Context) {
	ticker := time.NewTicker(spaceInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.look()
		}
	}
}

// look measures once and acts on it.
func (s *space) look() {
	left, err := s.free(s.dir)
	if err != nil {
		s.log.Error("free space of the data folder cannot be read", "dir", s.dir, "error", err)
		return
	}
	s.left.Store(left)
	low := left < s.lowWater
	if low {
		s.looks.Add(1)
	} else {
		s.looks.Store(0)
	}
	if was := s.low.Swap(low); was != low {
		if low {
			s.log.Error("disk nearly full", "dir", s.dir, "free_bytes", left, "low_water_bytes", s.lowWater)
		} else {
			s.log.Info("disk has room again", "dir", s.dir, "free_bytes", left)
		}
	}
	switch {
	case s.reserve <= 0:
	case left < s.lowWater/4:
		err = s.giveUp()
	case left > s.lowWater+uint64(s.reserve):
		err = s.keepReserve()
	}
	if err != nil {
		s.log.Warn("reserve file", "error", err)
	}
}

func (s *space) path() string { return filepath.Join(s.dir, reserveName) }

// keepReserve makes the reserve file unless it is there already.
func (s *space) keepReserve() error {
	info, err := os.Stat(s.path())
	if err == nil && info.Size() == s.reserve {
		return nil
	}
	f, err := os.OpenFile(s.path(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := allocate(f, s.reserve); err != nil {
		_ = os.Remove(s.path())
		return fmt.Errorf("allocating %d bytes: %w", s.reserve, err)
	}
	return nil
}

// giveUp removes the reserve file, if there is one.
func (s *space) giveUp() error {
	err := os.Remove(s.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		s.log.Error("disk full: the reserve was given up", "dir", s.dir, "bytes", s.reserve)
	}
	return err
}

// probe probes the disk at the start. On a full one the reserve is given up
// first: a node that ended for lack of space can start again, refuse writes and
// help the region to a majority. It is not given up before the disk has answered
// once: on one that hangs, nothing but the probe has a limit.
func (s *space) probe(ctx context.Context, limit time.Duration) error {
	err := probeDisk(ctx, s.dir, limit)
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	if err := s.giveUp(); err != nil {
		return fmt.Errorf("%w: giving up the reserve: %w", ErrDisk, err)
	}
	return probeDisk(ctx, s.dir, limit)
}

// probeDisk writes and syncs one page within the limit. A node whose disk hangs
// must not take part in elections, which it might win.
func probeDisk(ctx context.Context, dir string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- writePage(filepath.Join(dir, "probe")) }()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDisk, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: a write to %s has not returned for %v", ErrDisk, dir, limit)
	}
}

func writePage(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, syncFile(f), f.Close(), os.Remove(path))
}

// syncFile is a seam for tests, which want to know what is synced, and when.
var syncFile = (*os.File).Sync

// syncDir makes renames and new names in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(f), f.Close())
}
