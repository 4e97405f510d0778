package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"meridian/cluster/migrate"
)

// The journal says where a run has changed something, and a run that changed nothing in its input is named as that.
func TestWhatARollbackPutsBack(t *testing.T) {
	folder := (&folderFlags{glob: "*.dek"}).options()
	table := (&tableFlags{}).options()
	table["table"] = "data_keys"
	for _, c := range []struct {
		what   string
		header migrate.Header
		says   string
	}{
		{"a file", migrate.Header{Input: "keys.jsonl", Output: "moved.jsonl"}, "this run wrote moved.jsonl and changed nothing in its input keys.jsonl"},
		{"a folder to another", migrate.Header{Input: "keys", Output: "moved", Options: folder}, "this run wrote moved and changed nothing in its input keys"},
		{"a program", migrate.Header{Input: "exec ./keys"}, "this run gave its rows to a program (exec ./keys)"},
		{"a table without its database", migrate.Header{Input: "data_keys", Options: table}, "--db URL says where the table is"},
	} {
		f := &rollbackFlags{}
		_, _, err := f.restorer(t.Context(), c.header)
		if exitOf(err) != exitUsage || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	f := &rollbackFlags{}
	to, end, err := f.restorer(t.Context(), migrate.Header{Input: t.TempDir(), Options: folder})
	if _, ok := to.(*migrate.Folder); !ok || err != nil {
		t.Fatalf("a folder in place: %T, %v", to, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if _, _, err := f.restorer(t.Context(), migrate.Header{Input: t.TempDir() + "/none", Options: folder}); exitOf(err) != exitNotFound {
		t.Errorf("a folder that is gone: %v", err)
	}
}

// Who comes to a folder that another run has is told so as one who has mistaken a command line.
func TestFolderInUse(t *testing.T) {
	inUse := fmt.Errorf("keys: %w", migrate.ErrFolderInUse)
	p := &printer{out: io.Discard, err: io.Discard}
	for what, err := range map[string]error{
		"a run":                   (&migrateRun{}).report(p, migrate.WayNative, migrate.Checkpoint{}, inUse),
		"a rollback":              rollbackError(nil, inUse),
		"a run that begins again": restartInUse(t, p),
	} {
		if exitOf(err) != exitUsage || !strings.Contains(err.Error(), "start again when it has ended") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// restartInUse begins again where the folder of the output is locked.
func restartInUse(t *testing.T, p *printer) error {
	t.Helper()
	out := t.TempDir()
	folder, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	f := &migrateRun{out: out, restart: true, journal: filepath.Join(t.TempDir(), "journal")}
	return f.setAside(p)
}
