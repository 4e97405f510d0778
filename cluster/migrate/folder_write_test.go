package migrate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

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
