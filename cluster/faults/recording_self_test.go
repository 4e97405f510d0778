//go:build faults

package faults

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplay reads a log in which the second write was not synced.
func TestReplay(t *testing.T) {
	const log = `12 ftruncate(7</d/a>, 4) = 0
12 pwrite64(7</d/a>, "\x41\x42", 2, 0) = 2
13 fdatasync(7</d/a> <unfinished ...>
12 pwrite64(7</d/a>, "\x43", 1, 2 <unfinished ...>
13 <... fdatasync resumed>)         = 0
12 <... pwrite64 resumed>)           = 1
14 fsync(8</d>) = 0
15 pwrite64(7</d/a>, "\x43", 1, 2 <detached ...>
12 +++ killed by SIGKILL +++
12 fdatasync(7</d/a> <unfini`
	files, err := replay(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	f := files["/d/a"]
	if f == nil || len(f.changes) != 4 || f.durable != 2 {
		t.Fatalf("recorded %+v", f)
	}
	seen := map[string]bool{}
	for i := range uint64(32) {
		path := filepath.Join(t.TempDir(), "a")
		if err := f.rebuild(path, rand.New(rand.NewPCG(i, 0))); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(b)] = true
	}
	if !seen["AB\x00\x00"] || !seen["ABC\x00"] || len(seen) != 2 {
		t.Errorf("rebuilt as %v", seen)
	}
}
