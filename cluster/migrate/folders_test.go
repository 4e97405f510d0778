package migrate

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"meridian/crypto"
)

// marker is a way whose new blobs begin with 'k': such a one was moved before, and is kept. Blobs that begin with 'x' fail.
type marker struct{ mirror }

func (m *marker) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	outcomes, err := m.mirror.Move(ctx, rows)
	for i := range outcomes {
		if outcomes[i].Status == Moved {
			outcomes[i].Blob = append([]byte("k"), rows[i].Blob...)
		}
	}
	return outcomes, err
}

var aPast = time.Date(2020, 1, 2, 3, 4, 5, 678, time.UTC)

// writeFiles makes files with a mode and a time of their own.
func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(at), 0o750)
		if err == nil {
			err = os.WriteFile(at, []byte(content), 0o640)
		}
		if err == nil {
			err = os.Chtimes(at, aPast, aPast)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// readFiles is every regular file of a folder.
func readFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(at)
		name, _ := filepath.Rel(dir, at)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func encoded(blob string) string { return base64.StdEncoding.EncodeToString([]byte(blob)) }

// folderConfig is a run over a folder named keys.
func folderConfig(t *testing.T, base string, way Way) (Config, *Folder) {
	t.Helper()
	journal := filepath.Join(base, "journal")
	f := NewFolder(FolderConfig{Dir: filepath.Join(base, "keys"), Glob: "*.dek", Journal: journal, Input: testHeader.Input})
	return Config{Header: testHeader, Journal: journal, Medium: f, Way: way, Every: time.Nanosecond}, f
}

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
		r, err := RollBack(t.Context(), UndoPath(journal), testHeader.Input, f, i == 0, nil)
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

// watcher is a way that is looked at.
type watcher struct {
	Way
	watch func(rows []*Row)
}

func (w *watcher) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	w.watch(rows)
	return w.Way.Move(ctx, rows)
}

// A run over a folder that is killed goes on, whatever of journal and undo file came to the disk, and every file that it
// has changed can be put back.
func TestKilledRunOverAFolder(t *testing.T) {
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 6))
		base := t.TempDir()
		files := map[string]string{}
		for i := range 60 {
			files[fmt.Sprintf("%d/%d.dek", i%4, i)] = encoded(fmt.Sprint("blob ", i))
		}
		writeFiles(t, filepath.Join(base, "keys"), files)
		killed := errors.New("killed")
		for starts := 0; ; starts++ {
			limit := 1 + random.Int64N(8)
			cfg, _ := folderConfig(t, base, &marker{mirror{batch: 1 + random.IntN(6), before: func(call int64) error {
				if call >= limit && starts < 12 {
					return killed
				}
				return nil
			}}})
			last, err := Run(t.Context(), cfg)
			if err == nil {
				if last.Rows != 60 || last.Counts.Moved+last.Counts.Kept != 60 {
					t.Fatalf("seed %d: %+v", seed, last)
				}
				break
			}
			if !errors.Is(err, killed) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			cutJournal(t, random, filepath.Join(base, "journal"))
			tearUndo(t, random, UndoPath(filepath.Join(base, "journal")))
		}
		after := readFiles(t, filepath.Join(base, "keys"))
		for i := range 60 {
			if name := fmt.Sprintf("%d/%d.dek", i%4, i); after[name] != encoded(fmt.Sprint("kblob ", i)) || len(after) != 60 {
				t.Fatalf("seed %d: %s is %q, of %d files", seed, name, after[name], len(after))
			}
		}
		checkUndo(t, UndoPath(filepath.Join(base, "journal")), files)
		_, f := folderConfig(t, base, nil)
		r, err := RollBack(t.Context(), UndoPath(filepath.Join(base, "journal")), testHeader.Input, f, false, nil)
		if err := errors.Join(err, f.Close()); err != nil || r.Restored != 60 || r.Left != 0 {
			t.Fatalf("seed %d: %+v, %v", seed, r, err)
		}
		for name, is := range readFiles(t, filepath.Join(base, "keys")) {
			if files[name] != is {
				t.Fatalf("seed %d: %s was not put back", seed, name)
			}
		}
	}
}

// checkUndo looks for the content that every file had before in an undo file.
func checkUndo(t *testing.T, path string, files map[string]string) {
	t.Helper()
	r, _, err := ReadUndo(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	kept := map[string]bool{}
	for c, err := r.Next(); err != io.EOF; c, err = r.Next() {
		if err != nil || string(c.Before) != files[c.Key] {
			t.Fatalf("%+v, %v", c, err)
		}
		kept[c.Key] = true
	}
	if len(kept) != len(files) {
		t.Errorf("%d files of %d could be put back", len(kept), len(files))
	}
}

// cutJournal takes some of the last bytes away, as a kill may.
func cutJournal(t *testing.T, random *rand.Rand, path string) {
	t.Helper()
	journal, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header := bytes.IndexByte(journal, '\n') + 1
	if err := os.Truncate(path, int64(header+random.IntN(len(journal)-header+1))); err != nil {
		t.Fatal(err)
	}
}

// tearUndo leaves a part of what was being appended. Nothing was changed yet that stands there.
func tearUndo(t *testing.T, random *rand.Rand, path string) {
	t.Helper()
	undo, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := undo[bytes.LastIndexByte(undo[:len(undo)-1], '\n')+1:]
	if err := os.WriteFile(path, append(undo, last[:random.IntN(len(last))]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What another writer does to a file while its blob is moved stays.
func TestFolderWithAnotherWriter(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	writeFiles(t, dir, map[string]string{"a.dek": encoded("blob a"), "b.dek": encoded("blob b"), "c.dek": encoded("blob c"), "d.dek": encoded("blob d")})
	cfg, _ := folderConfig(t, base, &watcher{&marker{mirror{batch: 10}}, func([]*Row) {
		writeFiles(t, dir, map[string]string{"a.dek": encoded("blob new")})
		err := errors.Join(os.Remove(filepath.Join(dir, "b.dek")), os.Remove(filepath.Join(dir, "c.dek")), os.Symlink("d.dek", filepath.Join(dir, "c.dek")))
		if err != nil {
			t.Error(err)
		}
	}})
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts != (Counts{Moved: 1, Failed: 3}) {
		t.Fatalf("%+v, %v", last, err)
	}
	if got := readFiles(t, dir); len(got) != 2 || got["a.dek"] != encoded("blob new") || got["d.dek"] != encoded("kblob d") {
		t.Errorf("%q", got)
	}
	_, history, err := ReadJournal(cfg.Journal)
	for _, f := range history.Failures {
		if f.Code != FaultChanged {
			t.Errorf("%+v", f)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// The output may be a folder of its own, which has every file; a run that is killed goes on with it.
func TestFolderToAnother(t *testing.T) {
	base := t.TempDir()
	dir, out := filepath.Join(base, "keys"), filepath.Join(base, "moved")
	files := map[string]string{"a.dek": encoded("blob a") + "\n", "s/t/b.dek": encoded("x fails"), "s/c.dek": encoded("blob c"), "s/c.dek.context": `{"a":"b"}`, "s/d.dek": "", "not.meant": ""}
	writeFiles(t, dir, files)
	killed := errors.New("killed")
	for start := range 4 {
		cfg, _ := folderConfig(t, base, &marker{mirror{batch: 1, before: func(call int64) error {
			if call == 2 && start < 3 {
				return killed
			}
			return nil
		}}})
		cfg.Parallel = 1
		cfg.Medium = NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Out: out, Journal: cfg.Journal, Input: testHeader.Input})
		if last, err := Run(t.Context(), cfg); err != nil && !errors.Is(err, killed) || start == 3 && last.Counts != (Counts{Moved: 2, Failed: 2}) {
			t.Fatalf("%+v, %v", last, err)
		}
	}
	got := readFiles(t, out)
	if len(got) != 5 || got["a.dek"] != encoded("kblob a")+"\n" || got["s/t/b.dek"] != files["s/t/b.dek"] || got["s/c.dek"] != encoded("kblob c") || got["s/c.dek.context"] != `{"a":"b"}` || got["s/d.dek"] != "" {
		t.Errorf("%q", got)
	}
	for name, is := range readFiles(t, dir) {
		if files[name] != is {
			t.Errorf("%s of the input is %q", name, is)
		}
	}
	info, err := os.Stat(filepath.Join(out, "s/c.dek"))
	if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(aPast) {
		t.Errorf("%v, %v", info, err)
	}
}

// waiting is a run over a folder that holds still at its first batch until it is let go.
type waiting struct {
	letGo chan struct{}
	ended chan error
}

func startWaiting(t *testing.T, cfg Config) waiting {
	t.Helper()
	w := waiting{make(chan struct{}), make(chan error, 1)}
	begun := make(chan struct{}, 100)
	cfg.Way = &watcher{cfg.Way, func([]*Row) {
		begun <- struct{}{}
		<-w.letGo
	}}
	go func() {
		_, err := Run(t.Context(), cfg)
		w.ended <- err
	}()
	select {
	case <-begun:
	case err := <-w.ended:
		t.Fatalf("it ended: %v", err)
	}
	return w
}

func (w waiting) end(t *testing.T) {
	t.Helper()
	close(w.letGo)
	if err := <-w.ended; err != nil {
		t.Error(err)
	}
}

// A folder is written to by one run or rollback at a time, or by those of shards; who is refused leaves no trace.
func TestFolderOfOneRun(t *testing.T) {
	base := t.TempDir()
	dir, out := filepath.Join(base, "keys"), filepath.Join(base, "moved")
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprint(i, ".dek")] = encoded(fmt.Sprint("blob ", i))
	}
	writeFiles(t, dir, files)
	config := func(journal, out string, shard Shard) Config {
		cfg, _ := folderConfig(t, base, &marker{mirror{batch: 3}})
		cfg.Journal, cfg.Shard = filepath.Join(base, journal), shard
		cfg.Medium = NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Out: out, Journal: cfg.Journal, Input: testHeader.Input, Shared: shard.Count > 1})
		return cfg
	}
	rollBack := func(journal string, shared bool) (*Rollback, error) {
		f := NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Journal: journal, Shared: shared})
		r, err := RollBack(t.Context(), UndoPath(filepath.Join(base, journal)), testHeader.Input, f, false, nil)
		return r, errors.Join(err, f.Close())
	}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrFolderInUse) {
			t.Errorf("%s: %v", what, err)
		}
	}
	cfg := config("first", "", Shard{})
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := rollBack("first", false); err != nil {
		t.Fatal(err)
	}

	whole := startWaiting(t, config("whole", "", Shard{}))
	_, err := Run(t.Context(), config("other", "", Shard{}))
	refused("another run", err)
	_, err = Run(t.Context(), config("other", "", Shard{1, 2}))
	refused("a shard beside the whole", err)
	into := config("other", "", Shard{})
	into.Medium = NewFolder(FolderConfig{Dir: t.TempDir(), Glob: "*.dek", Out: dir, Journal: into.Journal})
	_, err = Run(t.Context(), into)
	refused("a run into it", err)
	_, err = rollBack("first", false)
	refused("a rollback", err)
	whole.end(t)
	if got := readFiles(t, base); got["other"] != "" || got["other.undo"] != "" || got["keys/7.dek"] != encoded("kblob 7") {
		t.Errorf("%q", got)
	}
	if r, err := rollBack("whole", false); err != nil || r.Restored != 20 {
		t.Errorf("%+v, %v", r, err)
	}

	half := startWaiting(t, config("half1", "", Shard{1, 2}))
	if _, err := Run(t.Context(), config("half2", "", Shard{2, 2})); err != nil {
		t.Errorf("the other half: %v", err)
	}
	_, err = Run(t.Context(), config("other", "", Shard{}))
	refused("the whole beside a shard", err)
	_, err = rollBack("whole", false)
	refused("its rollback", err)
	if r, err := rollBack("half2", true); err != nil || r.Restored == 0 || r.Left > 0 {
		t.Errorf("the rollback of the other half: %+v, %v", r, err)
	}
	half.end(t)
	if r, err := rollBack("half1", true); err != nil || r.Restored == 0 || r.Left > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, is := range readFiles(t, dir) {
		if files[name] != is {
			t.Errorf("%s is %q", name, is)
		}
	}

	written := startWaiting(t, config("out", out, Shard{}))
	_, err = Run(t.Context(), config("other", out, Shard{}))
	refused("another run into the output", err)
	_, err = SetAside(filepath.Join(base, "other"), out)
	refused("another that begins again", err)
	written.end(t)
}

// Until a file takes its name it has one that no other run gives to it, and the same one at each start.
func TestNewNameOfARun(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	name := func(journal, of string) string { return NewFolder(FolderConfig{Journal: journal}).newName(of) }
	first := name(filepath.Join(base, "a"), "s/x.dek")
	if !strings.HasPrefix(first, "s/"+newPrefix) || name("./a", "s/x.dek") != first {
		t.Errorf("%s, and %s at another start", first, name("./a", "s/x.dek"))
	}
	for _, other := range []string{name("b", "s/x.dek"), name("a", "s/y.dek")} {
		if other == first {
			t.Errorf("%s twice", other)
		}
	}
}

// What a run writes elsewhere is as open as what it read, whatever the umask: files, their contexts and folders.
func TestFolderToAnotherKeepsModes(t *testing.T) {
	base := t.TempDir()
	dir, out := filepath.Join(base, "keys"), filepath.Join(base, "moved")
	writeFiles(t, dir, map[string]string{"s/t/a.dek": encoded("blob a"), "s/t/a.dek.context": "{}"})
	modes := map[string]fs.FileMode{"s": fs.ModeDir | 0o777, "s/t": fs.ModeDir | 0o570, "s/t/a.dek": 0o600, "s/t/a.dek.context": 0o664}
	for name, mode := range modes {
		at := filepath.Join(dir, name)
		if err := errors.Join(os.Chmod(at, mode), os.Chtimes(at, aPast, aPast.Add(time.Duration(len(name))*time.Hour))); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			if err := os.Chown(at, 12345, 23456); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "s/t"), 0o700) }) // so that it can be deleted
	modes["s/t"] |= 0o700                                                // else nobody could write there
	cfg, _ := folderConfig(t, base, &marker{mirror{batch: 1}})
	cfg.Medium = NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Out: out, Journal: cfg.Journal, Input: testHeader.Input})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts != (Counts{Moved: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	for name, mode := range modes {
		info, err := os.Stat(filepath.Join(out, name))
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want %v, %v", name, info.Mode(), mode, err)
		}
		if s := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && (s.Uid != 12345 || s.Gid != 23456) {
			t.Errorf("%s: owner %d, group %d", name, s.Uid, s.Gid)
		}
		if want := aPast.Add(time.Duration(len(name)) * time.Hour); !info.IsDir() && !info.ModTime().Equal(want) {
			t.Errorf("%s: %v, want %v", name, info.ModTime(), want)
		}
	}
}

// Folders that would be mixed up, and patterns that are none, are refused before anything is written.
func TestFolderRefuses(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	writeFiles(t, base, map[string]string{"keys/a.dek": encoded("blob a"), "full/x": ""})
	if err := os.Symlink("keys", filepath.Join(base, "alias")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []FolderConfig{
		{Dir: dir, Glob: "*.dek", Out: dir}, {Dir: dir, Glob: "*.dek", Out: filepath.Join(dir, "out")}, {Dir: dir, Glob: "*.dek", Out: filepath.Join(base, "alias", "out")},
		{Dir: dir, Glob: "*.dek", Out: filepath.Join(base, "full")}, {Dir: dir, Glob: "[", Out: filepath.Join(base, "new")}, {Dir: dir, Out: filepath.Join(base, "new")},
		{Dir: filepath.Join(base, "none"), Glob: "*"},
	} {
		cfg, _ := folderConfig(t, base, &marker{})
		c.Journal = cfg.Journal
		cfg.Medium = NewFolder(c)
		if _, err := Run(t.Context(), cfg); err == nil {
			t.Errorf("%+v is taken", c)
		}
		if got := readFiles(t, base); len(got) != 2 {
			t.Errorf("%+v left %q", c, got)
		}
	}
}

// A walk finds every file in order, however few names it holds, and goes on behind any of them.
func TestFolderWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	dir := t.TempDir()
	files := map[string]string{}
	for range 300 {
		var parts []string
		for range random.IntN(4) {
			parts = append(parts, string(rune('a'+random.IntN(4))))
		}
		files[filepath.Join(append(parts, fmt.Sprintf("%d.dek", random.IntN(1000)))...)] = ""
	}
	files["a.dek"], files["a-.dek"], files["b\nc.dek"] = "", "", ""
	writeFiles(t, dir, files)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	walk := func(held int, after string) (names []string) {
		w := newFolderWalk(root, "*.dek", after)
		w.names = held
		for {
			at, _, err := w.next()
			if err == io.EOF {
				return names
			}
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, at)
		}
	}
	all := walk(1000, "")
	if len(all) != len(files) {
		t.Fatalf("%d files of %d", len(all), len(files))
	}
	for _, held := range []int{1, 2, 7, 300} {
		if got := walk(held, ""); !slices.Equal(got, all) {
			t.Errorf("with %d names held: %d files of %d, or in another order", held, len(got), len(all))
		}
		for i := 0; i < len(all); i += 1 + random.IntN(20) {
			if got := walk(held, all[i]); !slices.Equal(got, all[i+1:]) {
				t.Errorf("with %d names held, behind %q: %d files, want %d", held, all[i], len(got), len(all)-i-1)
			}
		}
	}
	if got := walk(5, "b/gone/x"); len(got) == 0 || got[0] <= "b" {
		t.Errorf("behind a folder that is gone: %d files", len(got))
	}
}

// Each form of a file holds another blob as it held the one before.
func TestBlobForms(t *testing.T) {
	blob := strings.Repeat("data key ", 20)
	text := encoded(blob)
	wrap := func(width int, end string) string {
		var b strings.Builder
		for at := 0; at < len(text); at += width {
			b.WriteString(text[at:min(at+width, len(text))] + end)
		}
		return b.String()
	}
	for _, content := range []string{text, text + "\n", " " + text + "\r\n\n", wrap(64, "\n"), wrap(76, "\r\n"), strings.TrimSpace(wrap(60, "\n")), wrap(len(text)/2, "\n"), "\x00" + blob} {
		got, form, refused := readForm([]byte(content))
		if refused != nil || string(got) != strings.TrimSpace(blob)+" " && string(got) != content {
			t.Errorf("%.40q: %q, %v", content, got, refused)
			continue
		}
		if same := form.write(got); string(same) != content {
			t.Errorf("%.40q comes out as %q", content, same)
		}
	}
	for _, bad := range []string{"", " \n", "AAA", "AA=A", "AAAA\nAA\nAAAA", "AA\n\nAA", "AAAA\r\nAAAA\nAAAA", "AA\rAA", "====", "AAB="} {
		if _, _, refused := readForm([]byte(bad)); refused == nil || refused.Code != FaultNoBlob {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzBlobForm(f *testing.F) {
	f.Add([]byte("QUFB\nQUFB\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, content, other []byte) {
		blob, form, refused := readForm(content)
		if refused != nil {
			return
		}
		if same := form.write(blob); !bytes.Equal(same, content) {
			t.Errorf("%q comes out as %q", content, same)
		}
		if len(other) == 0 || form.raw {
			return
		}
		if again, _, refused := readForm(form.write(other)); refused != nil || !bytes.Equal(again, other) {
			t.Errorf("%q in the form of %q: %q, %v", other, content, again, refused)
		}
	})
}

// A key and a context that are given are those of each file.
func TestFolderTo(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.dek": encoded("blob a"), "b.dek": encoded("blob b"), "b.dek.context": "{}"})
	sealing, err := crypto.NewContext([]crypto.Pair{{Name: "app", Value: "pay"}})
	if err != nil {
		t.Fatal(err)
	}
	f := NewFolder(FolderConfig{Dir: dir, Glob: "*.dek", Context: sealing, To: "alias/x"})
	if err := f.Open(); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, want := range []crypto.Context{sealing, {}} {
		if row, err := f.Next(t.Context()); err != nil || row.To != "alias/x" || !row.Context.Equal(want) {
			t.Errorf("%+v, %v", row, err)
		}
	}
}

// A name that leaves no room for the end of a context's name is that of a file without one.
func TestFolderWithALongName(t *testing.T) {
	base := t.TempDir()
	name := strings.Repeat("n", 251) + ".dek"
	writeFiles(t, filepath.Join(base, "keys"), map[string]string{name: encoded("blob a")})
	cfg, _ := folderConfig(t, base, &marker{mirror{batch: 2}})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts != (Counts{Moved: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	if got := readFiles(t, filepath.Join(base, "keys")); len(got) != 1 || got[name] != encoded("kblob a") {
		t.Errorf("%q", got)
	}
}
