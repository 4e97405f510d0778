package cluster

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// syncs runs f and returns what it syncs, each with the names that were in dir at
// that time.
func syncs(t *testing.T, dir string, f func() error) (seen []string) {
	t.Helper()
	really := syncFile
	defer func() { syncFile = really }()
	syncFile = func(file *os.File) error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		what, err := filepath.Rel(dir, file.Name())
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, what+" with "+strings.Join(names, " "))
		return really(file)
	}
	if err := f(); err != nil {
		t.Error(err)
	}
	return seen
}

// What a node notes for its next start is on disk before it goes on: the file
// before its name, the name after the change of it.
func TestSmallFilesAreOnDisk(t *testing.T) {
	now := func() time.Time { return time.Unix(1_000_000_000, 0) }
	const aside = "state.db.damaged-20010909T014640.000000"
	for _, test := range []struct {
		name   string
		before []string // files
		do     func(dir string) error
		want   []string
	}{
		{"mark", nil, func(dir string) error { return markFile(dir, runMark) }, []string{runMark + " with " + runMark, ". with " + runMark}},
		{"unmark", []string{runMark}, func(dir string) error { return unmark(dir, runMark) }, []string{". with "}},
		{"raft.db", nil, func(dir string) error { return makeRaftFile(dir, "a", "r1") }, []string{". with " + raftFile}},
		{"set aside", []string{stateFile}, func(dir string) error {
			n := &Node{cfg: Config{DataDir: dir, Now: now}}
			return n.setAside(filepath.Join(dir, stateFile), stateFile, "damaged")
		}, []string{". with " + aside}},
		{"probe", nil, func(dir string) error { return writePage(filepath.Join(dir, "probe")) }, []string{"probe with probe"}},
	} {
		dir := t.TempDir()
		for _, name := range test.before {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := syncs(t, dir, func() error { return test.do(dir) }); !slices.Equal(got, test.want) {
			t.Errorf("%s: synced %q, want %q", test.name, got, test.want)
		}
	}
}

// raft-boltdb keeps the database to itself, so this can only look at what it is
// told; the suite of faults watches the system calls.
func TestRaftLogIsSynced(t *testing.T) {
	if o := raftOptions("x"); o.NoSync || o.BoltOptions.NoSync || o.BoltOptions.NoGrowSync {
		t.Errorf("options %+v, %+v: what Raft answers for may not be on disk", o, o.BoltOptions)
	}
}

// A node with a fault ends also when the disk takes no note of it.
func TestFaultEndsTheProcessOnAHungDisk(t *testing.T) {
	really, hung, calls := syncFile, make(chan struct{}), make(chan string, 2)
	defer func() { syncFile = really }()
	syncFile = func(f *os.File) error { <-hung; calls <- f.Name(); return nil }
	exit := make(chan error, 1)
	n := &Node{log: slog.New(slog.DiscardHandler), cfg: Config{
		DataDir: t.TempDir(), Disk: Disk{StallLimit: 10 * time.Millisecond}, Exit: func(err error) { exit <- err },
	}}
	go n.fail(ErrDiffers)
	select {
	case err := <-exit:
		if !errors.Is(err, ErrDiffers) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the node does not end")
	}
	close(hung)
	<-calls // the mark
	<-calls // its folder: nothing syncs any more
}
