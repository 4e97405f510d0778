package migrate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// asUser says that modes of files bind this process. As root, whom they do not bind, it has the test run by another user,
// and says that there is nothing more to do.
func asUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	c := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$") // the path of the program may be closed to others
	c.Dir, c.Env = "/", []string{"TMPDIR=/tmp"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	said, err := c.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Skipf("no other user can be had here: %v", err)
	}
	if err != nil || !strings.Contains(string(said), "--- PASS: "+t.Name()) {
		t.Errorf("as another user: %v\n%s", err, said)
	}
	return false
}

// shut gives files and folders modes, and takes them back at the end, so that they can be deleted.
func shut(t *testing.T, dir string, modes map[string]os.FileMode) (open func()) {
	t.Helper()
	open = func() {
		for name := range modes {
			if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(open)
	for name, mode := range modes {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return open
}

// What the mover may not read or write fails by itself, a folder as one row; everything else is moved, also by a run that
// is killed anywhere.
func TestFolderWithoutPermission(t *testing.T) {
	if !asUser(t) {
		return
	}
	files := map[string]string{"a.dek": encoded("blob a"), "z.dek": encoded("blob z"), "secret.dek": encoded("s"), "kept/c.dek": encoded("kept"), "s/y.dek": encoded("blob y")}
	for _, folder := range []string{"closed", "hidden", "listed", "s/hidden"} {
		files[folder+"/1.dek"], files[folder+"/2.dek"] = encoded("1"), encoded("2")
	}
	killed := errors.New("killed")
	for limit := range int64(7) {
		base := t.TempDir()
		dir := filepath.Join(base, "keys")
		writeFiles(t, dir, files)
		open := shut(t, dir, map[string]os.FileMode{"closed": 0o500, "hidden": 0, "listed": 0o400, "s/hidden": 0, "secret.dek": 0, "kept": 0o500})
		var last Checkpoint
		var err error
		for starts := 0; starts == 0 || errors.Is(err, killed); starts++ {
			cfg, _ := folderConfig(t, base, &marker{mirror{batch: 1, before: func(call int64) error {
				if starts < 3 && limit > 0 && call >= limit {
					return killed
				}
				return nil
			}}})
			cfg.Parallel = 1
			last, err = Run(t.Context(), cfg)
		}
		if err != nil || last.Counts != (Counts{Moved: 3, Kept: 1, Failed: 6}) {
			t.Fatalf("limit %d: %+v, %v", limit, last, err)
		}
		_, history, err := ReadJournal(filepath.Join(base, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range history.Failures {
			got = append(got, f.ID)
			if f.Code != FaultFile || !strings.Contains(f.Reason, "permission denied") {
				t.Errorf("limit %d: %+v", limit, f)
			}
		}
		if want := []string{"closed/1.dek", "closed/2.dek", "hidden", "listed", "s/hidden", "secret.dek"}; !slices.Equal(got, want) {
			t.Errorf("limit %d: failures %q, want %q", limit, got, want)
		}
		open()
		after := readFiles(t, dir)
		for name, was := range files {
			want := was
			if moved := map[string]string{"a.dek": "kblob a", "z.dek": "kblob z", "s/y.dek": "kblob y"}[name]; moved != "" {
				want = encoded(moved)
			}
			if after[name] != want || len(after) != len(files) {
				t.Errorf("limit %d: %s is %q of %d files, want %q", limit, name, after[name], len(after), want)
			}
		}
	}
}

// A rollback names what it may not read or write, and goes on with it once it may.
func TestFolderRollbackWithoutPermission(t *testing.T) {
	if !asUser(t) {
		return
	}
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	files := map[string]string{"a.dek": encoded("a"), "closed/b.dek": encoded("b"), "hidden/c.dek": encoded("c"), "secret.dek": encoded("s"), "z.dek": encoded("z")}
	writeFiles(t, dir, files)
	cfg, _ := folderConfig(t, base, &marker{mirror{batch: 2}})
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Moved != 5 {
		t.Fatalf("%+v, %v", last, err)
	}
	rollBack := func() (*Rollback, error) {
		_, f := folderConfig(t, base, nil)
		r, err := RollBack(t.Context(), UndoFile{Path: UndoPath(cfg.Journal), Input: testHeader.Input}, f, false, nil)
		return r, errors.Join(err, f.Close())
	}
	open := shut(t, dir, map[string]os.FileMode{"closed": 0o500, "hidden": 0, "secret.dek": 0})
	r, err := rollBack()
	if err != nil || r.Restored != 2 || r.Left != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, f := range r.Failures {
		if f.Code != FaultRefused || !strings.Contains(f.Reason, "may not be read or written") {
			t.Errorf("%+v", f)
		}
	}
	open()
	if r, err := rollBack(); err != nil || r.Restored != 3 || r.AsBefore != 2 || r.Left != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, is := range readFiles(t, dir) {
		if files[name] != is {
			t.Errorf("%s is %q", name, is)
		}
	}
}

// What is wrong with the disk, and not with rights, ends a run; a disk that may only be read is a matter of rights.
func TestFolderEndsWithTheDisk(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "keys")
	writeFiles(t, dir, map[string]string{"a.dek": encoded("a"), "b.dek": encoded("b")})
	cfg, f := folderConfig(t, base, &marker{mirror{batch: 1}})
	writeFiles(t, filepath.Join(dir, f.newName("b.dek")), map[string]string{"in the way": ""})
	if last, err := Run(t.Context(), cfg); !errors.Is(err, syscall.ENOTEMPTY) || last.Done {
		t.Errorf("%+v, %v", last, err)
	}
	for err, want := range map[error]bool{syscall.EACCES: true, syscall.EPERM: true, syscall.EROFS: true, syscall.ENOSPC: false, syscall.EIO: false, os.ErrNotExist: false} {
		if got := denied(fmt.Errorf("x: %w", err)); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
