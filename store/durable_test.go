package store

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
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

// A state file takes its place for good, and a snapshot's only once it is on
// disk itself.
func TestStateFileIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	var s *Store
	made := syncs(t, dir, func() (err error) {
		s, err = Open(Config{Path: path, InitialMmapSize: 1 << 20})
		return err
	})
	if want := []string{". with state.db"}; !slices.Equal(made, want) {
		t.Errorf("when it is made: synced %q, want %q", made, want)
	}
	defer s.Close()
	first := s.db
	source := newRegion(t)
	source.ok(createKey(1))
	data := source.snapshot()
	restored := syncs(t, dir, func() error { return s.Restore(bytes.NewReader(data)) })
	if want := []string{"state.db.new with state.db state.db.new", ". with state.db"}; !slices.Equal(restored, want) {
		t.Errorf("when it is replaced: synced %q, want %q", restored, want)
	}
	for name, db := range map[string]*bbolt.DB{"made": first, "restored": s.db} {
		if db.NoSync || db.NoGrowSync {
			t.Errorf("%s: what is applied is not synced", name)
		}
	}
}
