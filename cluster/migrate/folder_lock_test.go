package migrate

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
)

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
		r, err := RollBack(t.Context(), UndoFile{Path: UndoPath(filepath.Join(base, journal)), Input: testHeader.Input}, f, false, nil)
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
