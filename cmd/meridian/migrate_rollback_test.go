package main

import (
	"strings"
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
