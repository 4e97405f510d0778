package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// Files are replaced where they are, in their form, and are what they were but for the blob; what is no file of a blob is
// named and left alone.
func TestFolderInPlace(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	writeFiles(t, dir, map[string]string{
		"a.dek": encoded("blob a") + "\n", "raw.dek": "blob \x00 raw", "sub/b.dek": encoded("blob b"), "sub/deep/c.dek": encoded("kept c"), "x.dek": encoded("x fails"),
		"other": "not meant", "empty.dek": "\n", "long.dek": strings.Repeat("A", maxFile+1), "most.dek": strings.Repeat("\x00", maxFile), "bad.dek": "AAA=AAA",
		"a.dek.context": `{"app":"pay"}`, "badctx.dek": encoded("blob"), "badctx.dek.context": "[]", ".meridian-0123": "a start that was killed",
	})
	writeFiles(t, base, map[string]string{"outside.dek": encoded("blob out")})
	for name, target := range map[string]string{"link.dek": "../outside.dek", "inner.dek": "a.dek", "linked": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.dek"), 0o600); err != nil {
		t.Fatal(err)
	}
	owned := os.Geteuid() == 0
	if owned {
		if err := os.Chown(filepath.Join(dir, "a.dek"), 12345, 23456); err != nil {
			t.Fatal(err)
		}
	}
	before := readFiles(t, base)
	contexts := map[string]int{}
	way := &marker{mirror{batch: 3}}
	cfg, _ := folderConfig(t, base, &watcher{way, func(rows []*Row) {
		for _, row := range rows {
			contexts[row.ID] = len(row.Context.Pairs())
		}
	}})
	cfg.Parallel = 1
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts != (Counts{Moved: 4, Kept: 1, Failed: 8}) {
		t.Fatalf("%+v, %v", last, err)
	}
	if contexts["a.dek"] != 1 || contexts["raw.dek"] != 0 {
		t.Errorf("contexts %v", contexts)
	}
	checkFolder(t, base, before)
	info, err := os.Stat(filepath.Join(dir, "a.dek"))
	if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(aPast) {
		t.Errorf("%v, %v", info, err)
	}
	if s := info.Sys().(*syscall.Stat_t); owned && (s.Uid != 12345 || s.Gid != 23456) {
		t.Errorf("owner %d, group %d", s.Uid, s.Gid)
	}
	_, history, err := ReadJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range history.Failures {
		got = append(got, f.ID+" "+f.Code)
	}
	if want := []string{"bad.dek NotABlob", "badctx.dek Context", "empty.dek NotABlob", "inner.dek File", "link.dek File", "long.dek NotABlob", "pipe.dek File", "x.dek Rejected.Disabled"}; !slices.Equal(got, want) {
		t.Errorf("failures %q, want %q", got, want)
	}
	checkFolderRollback(t, base, before)
}

// checkFolder compares the files with those before the run of TestFolderInPlace.
func checkFolder(t *testing.T, base string, before map[string]string) {
	t.Helper()
	after := readFiles(t, base)
	for name, is := range map[string]string{
		"keys/a.dek": encoded("kblob a") + "\n", "keys/raw.dek": "kblob \x00 raw", "keys/sub/b.dek": encoded("kblob b"), "keys/most.dek": "k" + strings.Repeat("\x00", maxFile),
	} {
		if after[name] != is {
			t.Errorf("%s is %.60q, want %.60q", name, after[name], is)
		}
		delete(after, name)
	}
	for name, is := range after {
		if was, there := before[name]; (!there || was != is) && !strings.HasPrefix(name, "journal") {
			t.Errorf("%s is %.60q, and was %.60q", name, is, was)
		}
	}
}

// checkFolderRollback has everything put back, but for a file that somebody has changed since.
func checkFolderRollback(t *testing.T, base string, before map[string]string) {
	t.Helper()
	journal := filepath.Join(base, "journal")
	writeFiles(t, filepath.Join(base, "keys"), map[string]string{"raw.dek": "of another writer"})
	for i, want := range []Rollback{{Restored: 3, Left: 1}, {Restored: 3, Left: 1}, {AsBefore: 3, Left: 1}} {
		_, f := folderConfig(t, base, nil)
		r, err := RollBack(t.Context(), UndoFile{Path: UndoPath(journal), Input: testHeader.Input}, f, i == 0, nil)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if r.Changes != 4 || r.Restored != want.Restored || r.Left != want.Left || r.AsBefore != want.AsBefore {
			t.Errorf("rollback %d: %+v, want %+v", i, r, want)
		}
	}
	cfg, _ := folderConfig(t, base, &marker{})
	if last, err := Run(t.Context(), cfg); !errors.Is(err, ErrRolledBack) || last.Done { // it was done before
		t.Errorf("%+v, %v", last, err)
	}
	after := readFiles(t, base)
	for name, was := range before {
		if name != "keys/raw.dek" && after[name] != was {
			t.Errorf("%s is %.60q, and was %.60q", name, after[name], was)
		}
	}
	if info, err := os.Stat(filepath.Join(base, "keys/a.dek")); err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(aPast) {
		t.Errorf("%v, %v", info, err)
	}
}
