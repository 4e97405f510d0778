package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/crypto"
)

// comparer is all pairs, by the name of the file.
type comparer map[string][2]string

// readPairs reads all pairs.
func readPairs(ctx context.Context, t *testing.T, pairs Pairs) (comparer, error) {
	t.Helper()
	found := comparer{}
	for {
		before, after, err := pairs.Next(ctx)
		switch {
		case err == io.EOF:
			return found, nil
		case err != nil:
			return found, err
		case before.ID != after.ID || before.Number == 0 || !before.Context.Equal(after.Context):
			t.Errorf("%+v is the other side of %+v", after, before)
		}
		found[before.ID] = [2]string{string(before.Blob), string(after.Blob)}
	}
}

// runPairs moves the files of a.dek, b.dek, raw.dek and sub/c.dek in place, and opens the folder to compare them.
func runPairs(t *testing.T, base string) *Folder {
	t.Helper()
	writeFiles(t, filepath.Join(base, "keys"), map[string]string{
		"a.dek": encoded("blob a") + "\n", "b.dek": encoded("blob b"), "raw.dek": "blob \x00 raw", "sub/c.dek": encoded("blob c"), "sub/c.dek.context": `{"a":"b"}`,
		"kept.dek": encoded("k"), "x.dek": encoded("x fails"),
	})
	cfg, _ := folderConfig(t, base, &marker{mirror{batch: 2}})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts != (Counts{Moved: 4, Kept: 1, Failed: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	_, f := folderConfig(t, base, nil)
	if err := f.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // it was only read
	return f
}

// undoPairs reads what a run in place has changed, and how many files were left out.
func undoPairs(t *testing.T, base string, f *Folder) (found comparer, changed, notMade int64, err error) {
	t.Helper()
	pairs, err := f.Pairs(UndoFile{Path: UndoPath(filepath.Join(base, "journal")), Input: testHeader.Input})
	if err != nil {
		t.Fatal(err)
	}
	found, err = readPairs(t.Context(), t, pairs)
	return found, pairs.Changed(), pairs.NotMade(), errors.Join(err, pairs.Close())
}

// What a run in place has changed is compared with what is there now; what others have changed is left out, and counted.
func TestPairsOfAFolderInPlace(t *testing.T) {
	base := t.TempDir()
	f := runPairs(t, base)
	all := comparer{"a.dek": {"blob a", "kblob a"}, "b.dek": {"blob b", "kblob b"}, "raw.dek": {"blob \x00 raw", "kblob \x00 raw"}, "sub/c.dek": {"blob c", "kblob c"}}
	found, changed, notMade, err := undoPairs(t, base, f)
	if err != nil || changed != 0 || notMade != 0 || len(found) != len(all) {
		t.Fatalf("%v, %d changed, %d not made, %v", found, changed, notMade, err)
	}
	for name, want := range all {
		if found[name] != want {
			t.Errorf("%s: %q, want %q", name, found[name], want)
		}
	}

	at := func(name string) string { return filepath.Join(base, "keys", name) }
	writeFiles(t, filepath.Join(base, "keys"), map[string]string{"a.dek": encoded("of another"), "b.dek": encoded("blob b"), "sub/c.dek.context": "[]"})
	if err := errors.Join(os.Remove(at("raw.dek")), os.Symlink("b.dek", at("raw.dek"))); err != nil {
		t.Fatal(err)
	}
	found, changed, notMade, err = undoPairs(t, base, f)
	if err != nil || len(found) != 0 || changed != 3 || notMade != 1 {
		t.Errorf("%v, %d changed, %d not made, %v", found, changed, notMade, err)
	}
	if err := errors.Join(os.Remove(at("raw.dek")), os.WriteFile(at("raw.dek"), make([]byte, maxReplaced+1), 0o600), os.Remove(at("a.dek")), os.Remove(at("sub/c.dek.context"))); err != nil {
		t.Fatal(err)
	}
	found, changed, notMade, err = undoPairs(t, base, f)
	if err != nil || len(found) != 1 || found["sub/c.dek"] != all["sub/c.dek"] || changed != 2 || notMade != 1 {
		t.Errorf("%v, %d changed, %d not made, %v", found, changed, notMade, err)
	}
}

// A change that a killed run has made again is one file, whichever of both is there; damage and another run end it.
func TestPairsOfAFolderAfterAKill(t *testing.T) {
	base := t.TempDir()
	f := runPairs(t, base)
	path := writeChanges(t, [3]string{"a.dek", encoded("blob a") + "\n", encoded("1") + "\n"}, [3]string{"b.dek", encoded("blob b"), encoded("kblob b")},
		[3]string{"a.dek", encoded("blob a") + "\n", encoded("kblob a") + "\n"}, [3]string{"../journal", "x", "y"})
	pairs, err := f.Pairs(UndoFile{Path: path, Input: "table"})
	if err != nil {
		t.Fatal(err)
	}
	if found, err := readPairs(t.Context(), t, pairs); err == nil || len(found) != 2 || found["a.dek"] != [2]string{"blob a", "kblob a"} || pairs.Changed() != 0 {
		t.Errorf("%v, %d changed, %v", found, pairs.Changed(), err)
	}
	if err := pairs.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Pairs(UndoFile{Path: path, Input: "another"}); !errors.Is(err, ErrOtherRun) {
		t.Errorf("another run: %v", err)
	}
	if _, err := f.Pairs(UndoFile{Path: path + ".none", Input: "table"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no undo file: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	pairs, err = f.Pairs(UndoFile{Path: path, Input: "table"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readPairs(ended, t, pairs); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if err := pairs.Close(); err != nil {
		t.Fatal(err)
	}
}

// The files of two folders are held against each other by their names, and have to be the same ones.
func TestPairsOfTwoFolders(t *testing.T) {
	base := t.TempDir()
	dir, out := filepath.Join(base, "keys"), filepath.Join(base, "moved")
	most := strings.Repeat("\x00", maxFile-1)
	writeFiles(t, dir, map[string]string{"a.dek": encoded("blob a"), "bad.dek": "AAA=AAA", "most.dek": most, "long.dek": strings.Repeat("\x00", maxFile+1), "s/b.dek": encoded("x fails"), "s.dek": encoded("blob s"), "s.dek.context": `{"a":"b"}`})
	writeFiles(t, dir, map[string]string{"ctx.dek": encoded("blob ctx")}) // whose context is a link, which is not there behind the run
	if err := errors.Join(os.Symlink("a.dek", filepath.Join(dir, "link.dek")), os.Symlink("s.dek.context", filepath.Join(dir, "ctx.dek.context"))); err != nil {
		t.Fatal(err)
	}
	cfg, _ := folderConfig(t, base, &marker{mirror{batch: 2}})
	cfg.Medium = NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Out: out, Journal: cfg.Journal, Input: testHeader.Input})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts != (Counts{Moved: 3, Failed: 5}) {
		t.Fatalf("%+v, %v", last, err)
	}
	var shard Shard
	read := func() (comparer, error) {
		before, after := NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Context: crypto.Context{}}), NewFolder(FolderConfig{Dir: out, Glob: "*.dek"})
		if err := errors.Join(before.Open(), after.Open()); err != nil {
			t.Fatal(err)
		}
		found, err := readPairs(t.Context(), t, PairFolders(before, after, shard))
		if err := errors.Join(before.Close(), after.Close()); err != nil {
			t.Fatal(err)
		}
		return found, err
	}
	found, err := read()
	if err != nil || len(found) != 8 || found["a.dek"] != [2]string{"blob a", "kblob a"} || found["most.dek"] != [2]string{most, "k" + most} || found["s/b.dek"] != [2]string{"x fails", "x fails"} || found["link.dek"] != [2]string{} {
		t.Errorf("%d pairs, %v", len(found), err)
	}
	for _, bad := range []struct{ what, name, content, says string }{
		{"a new one before others", "moved/0.dek", encoded("0"), `where the input has "a.dek" the output has "0.dek"`},
		{"a new one behind them", "moved/z.dek", encoded("0"), `only the output has "z.dek"`},
		{"a new one of the input", "keys/z.dek", encoded("0"), `only the input has "z.dek"`},
		{"one that holds no blob", "moved/a.dek", "AAA=AAA", `of "a.dek" only the input can be read: it is neither`},
	} {
		was, readErr := os.ReadFile(filepath.Join(base, bad.name))
		writeFiles(t, base, map[string]string{bad.name: bad.content})
		if _, err := read(); !errors.Is(err, ErrRows) || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s: %v", bad.what, err)
		}
		if readErr == nil {
			writeFiles(t, base, map[string]string{bad.name: string(was)})
		} else if err := os.Remove(filepath.Join(base, bad.name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := read(); err != nil {
		t.Errorf("as before: %v", err)
	}
	// Of a run over a shard the other files are not there.
	files := 0
	for i := 1; i <= 2; i++ {
		cfg.Shard, out = Shard{i, 2}, filepath.Join(base, fmt.Sprint("half", i))
		cfg.Journal = out + ".journal"
		cfg.Medium = NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Out: out, Journal: cfg.Journal, Input: testHeader.Input})
		if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Others == 0 {
			t.Fatalf("%+v, %v", last, err)
		}
		if _, err := read(); !errors.Is(err, ErrRows) {
			t.Errorf("half %d beside the whole: %v", i, err)
		}
		shard = cfg.Shard
		found, err := read()
		if err != nil {
			t.Errorf("half %d: %v", i, err)
		}
		files += len(found)
		shard = Shard{}
	}
	if files != 8 {
		t.Errorf("%d files in both halves", files)
	}
}
