package migrate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func testChange(i int) Change {
	return Change{Row: int64(i), Key: fmt.Sprintf("key \"%d\" é", i), Before: fmt.Appendf(nil, "before\n%d", i), After: fmt.Appendf(nil, "\xffafter %d", i)}
}

// writeUndo writes groups of two changes each, and returns where each group ends.
func writeUndo(t testing.TB, groups int) (path string, ends []int64) {
	t.Helper()
	path = UndoPath(filepath.Join(t.TempDir(), "journal"))
	u, err := CreateUndo(path, "table")
	if err != nil {
		t.Fatal(err)
	}
	ends = append(ends, u.Size())
	for i := range groups {
		if err := errors.Join(u.Append(testChange(2*i), testChange(2*i+1)), u.Sync()); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, u.Size())
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	return path, ends
}

// readUndo reads all changes, and counts damaged lines.
func readUndo(t testing.TB, path string) (changes []Change, damaged int) {
	t.Helper()
	r, err := ReadUndo(UndoFile{Path: path, Input: "table"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		switch c, err := r.Next(); {
		case err == io.EOF:
			return changes, damaged
		case errors.Is(err, ErrUndoDamaged):
			damaged++
		case err != nil:
			t.Fatal(err)
		default:
			changes = append(changes, c)
		}
	}
}

func sameChanges(t *testing.T, got []Change, want ...int) {
	t.Helper()
	equal := func(c Change, i int) bool {
		w := testChange(i)
		return c.Row == w.Row && c.Key == w.Key && bytes.Equal(c.Before, w.Before) && bytes.Equal(c.After, w.After)
	}
	if !slices.EqualFunc(got, want, equal) {
		t.Fatalf("changes %v, want those of %v", got, want)
	}
}

// Cut anywhere, a file of changes has all that were synced, and takes more.
func TestUndoIsCutAnywhere(t *testing.T) {
	path, ends := writeUndo(t, 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := ends[1]; n <= ends[2]; n++ {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		before, damaged := readUndo(t, path)
		if len(before) < 2 || damaged > 0 || n == ends[2] && len(before) != 4 {
			t.Fatalf("cut at byte %d: %d changes, %d damaged", n, len(before), damaged)
		}
		u, err := OpenUndo(path, "table", ends[1])
		if err != nil {
			t.Fatalf("cut at byte %d: %v", n, err)
		}
		if err := errors.Join(u.Append(testChange(9)), u.Sync(), u.Close()); err != nil {
			t.Fatal(err)
		}
		after, damaged := readUndo(t, path)
		if damaged > 0 {
			t.Fatalf("cut at byte %d: damaged when it went on", n)
		}
		sameChanges(t, after, append([]int{0, 1, 2, 3}[:len(before)], 9)...)
	}
	if err := os.WriteFile(path, whole[:ends[1]-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenUndo(path, "table", ends[1]); err == nil || !strings.Contains(err.Error(), "it was changed") {
		t.Errorf("shorter than the journal knows: %v", err)
	}
}

// A group of which the disk has the end and not the beginning was never synced: none of its changes were made.
func TestUndoGroupThatWasNotSynced(t *testing.T) {
	path, ends := writeUndo(t, 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(whole[ends[1] : ends[1]+20])
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	changes, damaged := readUndo(t, path)
	sameChanges(t, changes, 0, 1)
	if damaged > 0 {
		t.Error("it is told as damage")
	}
	u, err := OpenUndo(path, "table", ends[1])
	if err != nil || u.Size() != ends[1] {
		t.Fatalf("%+v, %v", u, err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
}

// A damaged line that was synced is told, and those behind it are read.
func TestUndoDamage(t *testing.T) {
	path, ends := writeUndo(t, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := ends[1]; at < ends[2]; at++ {
		broken := bytes.Clone(whole)
		broken[at] ^= 1
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		changes, damaged := readUndo(t, path)
		if damaged < 1 || len(changes) < 4 {
			t.Fatalf("byte %d: %d changes, %d damaged", at, len(changes), damaged)
		}
		if _, err := OpenUndo(path, "table", ends[1]); !errors.Is(err, ErrUndoDamaged) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	long := slices.Concat(whole[:ends[1]], bytes.Repeat([]byte("x"), 3*maxUndoLine), []byte("\n"), whole[ends[1]:])
	if err := os.WriteFile(path, long, 0o600); err != nil {
		t.Fatal(err)
	}
	changes, damaged := readUndo(t, path)
	sameChanges(t, changes, 0, 1, 2, 3, 4, 5)
	if damaged != 1 {
		t.Errorf("%d damaged lines, want 1", damaged)
	}
}

// Whatever byte of the last group is another one by now, or missing, where the journal knows of the group, is told; where it
// does not, what has something whole behind it.
func TestUndoDamageAtTheEnd(t *testing.T) {
	path, ends := writeUndo(t, 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte, covered int64) (changes, damaged int) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := ReadUndo(UndoFile{Path: path, Input: "table", Covered: covered})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for err != io.EOF {
			switch _, err = r.Next(); {
			case err == nil:
				changes++
			case errors.Is(err, ErrUndoDamaged):
				damaged++
			}
		}
		return changes, damaged
	}
	if changes, damaged := read(whole, ends[2]); changes != 4 || damaged != 0 {
		t.Fatalf("%d changes, %d damaged", changes, damaged)
	}
	second := ends[1] + int64(bytes.IndexByte(whole[ends[1]:], '\n')) + 1 // the last line, which is one with that before if the end of that is lost
	for at := ends[1]; at < ends[2]; at++ {
		broken := bytes.Clone(whole)
		broken[at] ^= 1
		if _, damaged := read(broken, ends[2]); damaged == 0 {
			t.Fatalf("byte %d: nothing is told", at)
		}
		if _, damaged := read(broken, ends[1]); (damaged > 0) != (at < second-1) {
			t.Fatalf("byte %d, of which the journal does not know: %d damaged", at, damaged)
		}
		if _, err := OpenUndo(path, "table", ends[1]); errors.Is(err, ErrUndoDamaged) != (at < second-1) {
			t.Fatalf("byte %d: going on: %v", at, err)
		}
		if changes, damaged := read(whole[:at], ends[2]); changes > 3 || damaged != 1 {
			t.Fatalf("cut at byte %d: %d changes, %d damaged", at, changes, damaged)
		}
	}
	if changes, damaged := read(slices.Concat(whole[:ends[1]], whole[second:]), ends[2]); changes != 3 || damaged != 1 {
		t.Errorf("without a line: %d changes, %d damaged", changes, damaged)
	}
}

// What is there and is not the beginning of a run's changes is not touched.
func TestUndoOverwritesNothing(t *testing.T) {
	path, _ := writeUndo(t, 0)
	u, err := CreateUndo(path, "table") // of a run that was killed before it had a journal
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateUndo(path, "table"); !errors.Is(err, ErrInUse) {
		t.Errorf("by two at once: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 20); err != nil { // killed while it wrote the header
		t.Fatal(err)
	}
	if u, err = CreateUndo(path, "table"); err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	readUndo(t, path)
	path, _ = writeUndo(t, 1)
	other := filepath.Join(t.TempDir(), "notes")
	if err := os.WriteFile(other, []byte("notes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, other} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := CreateUndo(path, "table"); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: %v", path, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s was changed, %v", path, err)
		}
	}
}

// Another run's changes, and those of a run that was rolled back, are not gone on with.
func TestUndoOfAnotherRun(t *testing.T) {
	path, ends := writeUndo(t, 1)
	if _, err := OpenUndo(path, "another", ends[1]); !errors.Is(err, ErrOtherRun) {
		t.Errorf("another table: %v", err)
	}
	u, err := OpenUndo(path, "table", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.RollBack(), u.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenUndo(path, "table", ends[1]); !errors.Is(err, ErrRolledBack) {
		t.Errorf("rolled back: %v", err)
	}
	changes, damaged := readUndo(t, path)
	sameChanges(t, changes, 0, 1)
	if damaged > 0 {
		t.Errorf("%d damaged lines", damaged)
	}
}

// Whether a run was rolled back is known however much of its changes the journal covers, and whatever is damaged.
func TestRolledBack(t *testing.T) {
	run := Header{Input: "table"}
	is := func(path string, run Header, covered int64) bool {
		t.Helper()
		back, err := RolledBack(strings.TrimSuffix(path, ".undo"), run, History{Checkpoints: []Checkpoint{{Output: covered, Done: true}}})
		if err != nil {
			t.Error(err)
		}
		return back.Begun
	}
	written, ends := writeUndo(t, 3)
	path := UndoPath(filepath.Join(t.TempDir(), "journal"))
	if is(path, run, ends[3]) {
		t.Error("a run without an undo file")
	}
	if err := os.Rename(written, path); err != nil {
		t.Fatal(err)
	}
	for _, covered := range []int64{0, ends[1], ends[3], ends[3] + 1} {
		if is(path, run, covered) {
			t.Errorf("before it, %d bytes are covered", covered)
		}
	}
	u, err := beginRollback(UndoFile{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	for _, covered := range []int64{0, ends[1], ends[3], ends[3] + 1000} {
		if !is(path, run, covered) {
			t.Errorf("behind it, %d bytes are covered", covered)
		}
	}
	if is(path, Header{Input: "another"}, 0) {
		t.Error("another run")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{ends[1] + 10, 10} { // in a change, and in the header: then no rollback could have begun
		text[at]++
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if is(path, run, 0) != (at != 10) {
			t.Errorf("damage at %d", at)
		}
	}
}

// Keys that JSON cannot hold and lines that are too long are refused, and leave the file as it was.
func TestUndoLimits(t *testing.T) {
	path, ends := writeUndo(t, 0)
	u, err := OpenUndo(path, "table", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Append(Change{Key: "\xff"}); err == nil {
		t.Error("a key that is not UTF-8")
	}
	if err := u.Append(Change{Key: strings.Repeat("k", maxUndoLine)}); err == nil {
		t.Error("a line that is too long")
	}
	if err := u.Sync(); err != nil || u.Size() != ends[0] {
		t.Errorf("%d bytes, %v", u.Size(), err)
	}
	fits := Change{Key: "k", Before: make([]byte, 3*maxUndoLine/4-200)}
	if err := errors.Join(u.Append(fits), u.Sync(), u.Close()); err != nil {
		t.Error(err)
	}
	if changes, damaged := readUndo(t, path); len(changes) != 1 || len(changes[0].Before) != len(fits.Before) || damaged > 0 {
		t.Errorf("%d changes, %d damaged", len(changes), damaged)
	}
}

func FuzzReadUndo(f *testing.F) {
	path, _ := writeUndo(f, 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(bytes.Replace(whole, []byte("key"), []byte("kex"), 1))
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "undo")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := ReadUndo(UndoFile{Path: path, Input: "table"})
		if err != nil {
			return
		}
		defer r.Close()
		read, damaged := 0, 0
		for err != io.EOF {
			switch _, err = r.Next(); {
			case err == nil:
				read++
			case errors.Is(err, ErrUndoDamaged):
				damaged++
			case err != io.EOF:
				t.Fatal(err)
			}
		}
		u, err := OpenUndo(path, "table", 0)
		if (err == nil || errors.Is(err, ErrRolledBack)) != (damaged == 0) {
			t.Fatalf("%d damaged lines, and it opens with %v", damaged, err)
		}
		if err != nil {
			return
		}
		if err := errors.Join(u.Append(testChange(0)), u.Sync(), u.Close()); err != nil {
			t.Fatal(err)
		}
		again, err := ReadUndo(UndoFile{Path: path, Input: "table"})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		for range read {
			if _, err := again.Next(); err != nil {
				t.Fatal(err)
			}
		}
		last, err := again.Next()
		if err != nil {
			t.Fatal(err)
		}
		sameChanges(t, []Change{last}, 0)
	})
}
