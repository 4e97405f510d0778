//go:build faults

package faults

import (
	"slices"
	"strings"
	"testing"
)

// movedLog is what a run over one file did, that was rolled back later.
const movedLog = `12 openat(AT_FDCWD</w>, "/b/run/journal.undo", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3</b/run/journal.undo>
12 pwrite64(3</b/run/journal.undo>, "0 {}", 4, 0) = 4
12 fsync(3</b/run/journal.undo>) = 0
12 fsync(4</b/run>) = 0
12 openat(AT_FDCWD</w>, "/b/run/.journal1", O_RDWR|O_CREAT|O_EXCL, 0600) = 5</b/run/.journal1>
12 write(5</b/run/.journal1>, "0 {}", 4) = 4
12 fsync(5</b/run/.journal1>) = 0
12 renameat(AT_FDCWD</w>, "/b/run/.journal1", AT_FDCWD, "/b/run/journal") = 0
12 fsync(4</b/run>) = 0
12 pwrite64(3</b/run/journal.undo>, "\x22\x6b\x65\x79\x22\x3a\x22\x6b\x22", 9, 4 <unfinished ...>
13 +++ exited with 0 +++
12 <... pwrite64 resumed>) = 9
12 fsync(3</b/run/journal.undo> <unfinished ...>
12 <... fsync resumed>) = 0
12 openat(6</b/keys>, "new", O_RDWR|O_CREAT|O_EXCL, 0600) = 7</b/keys/new>
12 write(7</b/keys/new>, "after", 5) = 5
12 fsync(7</b/keys/new>) = 0
12 renameat(6</b/keys>, "new", 6</b/keys>, "k") = 0
12 fsync(6</b/keys>) = 0
12 pwrite64(8</b/run/journal>, "\x22\x63\x68\x65\x63\x6b\x70\x6f\x69\x6e\x74\x22\x3a\x7b", 14, 4) = 14
12 fsync(8</b/run/journal>) = 0
12 pwrite64(3</b/run/journal.undo>, "\x22\x72\x6f\x6c\x6c\x65\x64\x5f\x62\x61\x63\x6b\x22\x3a\x74\x72\x75\x65", 18, 13) = 18
12 fsync(3</b/run/journal.undo>) = 0
12 openat(6</b/keys>, "new", O_RDWR|O_CREAT|O_EXCL, 0600) = 7</b/keys/new>
12 write(7</b/keys/new>, "before", 6) = 6
12 fsync(7</b/keys/new>) = 0
12 renameat(6</b/keys>, "new", 6</b/keys>, "k") = 0
12 fsync(6</b/keys>) = 0
12 openat(6</b/keys>, "gone", O_RDWR|O_CREAT|O_EXCL, 0600) = -1 EEXIST (File exists)
12 fsync(9</w>) = -1 EIO (Input/output error)
`

// TestMoveDisk reads the log of a run in which everything is synced in time, and then with each of its syncs gone or failed.
func TestMoveDisk(t *testing.T) {
	wrong := func(lines []string) []string {
		t.Helper()
		d := newMoveDisk("/b", "/b/run/journal", "/b/keys")
		if err := d.replay(strings.NewReader(strings.Join(lines, ""))); err != nil {
			t.Fatal(err)
		}
		if d.checkpoints != 1 || d.placed("keys", 2) != 1 {
			t.Fatalf("%d checkpoints, renames %v", d.checkpoints, d.renames)
		}
		return d.wrong
	}
	whole := strings.SplitAfter(movedLog, "\n")
	if found := wrong(whole); len(found) > 0 {
		t.Errorf("in a run that has all of its syncs: %q", found)
	}
	syncs := 0
	for i, line := range whole {
		if !strings.Contains(line, "fsync") || !strings.Contains(line, "= 0") {
			continue
		}
		syncs++
		if found := wrong(slices.Delete(slices.Clone(whole), i, i+1)); len(found) == 0 {
			t.Errorf("without %q nothing is wrong", line)
		}
		failed := slices.Clone(whole)
		failed[i] = strings.Replace(line, "= 0", "= -1 EIO", 1)
		if found := wrong(failed); len(found) == 0 {
			t.Errorf("with %q failed nothing is wrong", line)
		}
	}
	if syncs != 11 {
		t.Errorf("%d syncs", syncs)
	}
}
