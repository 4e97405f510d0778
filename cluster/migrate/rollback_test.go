package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// shelf is a place of blobs by key.
type shelf struct {
	blobs map[string]string
	// refused are keys that it does not take back.
	refused []string
	// most ends a rollback with an error behind so many changes; 0: never.
	most int
	seen int
}

var errShelf = errors.New("the shelf broke")

func (s *shelf) Restore(_ context.Context, changes []Change, dry bool) ([]Found, error) {
	found := make([]Found, len(changes))
	keys := map[string]bool{}
	for i, c := range changes {
		if s.seen++; s.most > 0 && s.seen > s.most {
			return nil, errShelf
		}
		if keys[c.Key] {
			return nil, fmt.Errorf("key %s is there twice", c.Key)
		}
		keys[c.Key] = true
		switch blob, there := s.blobs[c.Key]; {
		case !there:
			found[i] = FoundNone
		case blob == string(c.After) && slices.Contains(s.refused, c.Key):
			found[i] = FoundRefused
		case blob == string(c.After):
			found[i] = FoundAfter
			if !dry {
				s.blobs[c.Key] = string(c.Before)
			}
		case blob == string(c.Before):
			found[i] = FoundBefore
		default:
			found[i] = FoundOther
		}
	}
	return found, nil
}

// writeChanges makes an undo file of changes KEY BEFORE AFTER, each synced by itself if they are few.
func writeChanges(t *testing.T, changes ...[3]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "undo")
	u, err := CreateUndo(path, "table")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range changes {
		err := u.Append(Change{Row: int64(i + 1), Key: c[0], Before: []byte(c[1]), After: []byte(c[2])})
		if len(changes) < 100 || i == len(changes)-1 {
			err = errors.Join(err, u.Sync())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a run has put there is taken back, whatever became of its changes; what others wrote stays.
func TestRollBack(t *testing.T) {
	path := writeChanges(t,
		[3]string{"moved", "a", "A"},
		[3]string{"never", "b", "B"},
		[3]string{"twice", "c", "C1"}, [3]string{"twice", "c", "C2"}, // killed before the first was made
		[3]string{"chain", "d", "D"}, [3]string{"chain", "e", "E"}, // another writer put e there in between
		[3]string{"other", "f", "F"}, [3]string{"other", "f", "F2"}, [3]string{"gone", "g", "G"}, [3]string{"stuck", "h", "H"})
	s := &shelf{refused: []string{"stuck"}, blobs: map[string]string{
		"moved": "A", "never": "b", "twice": "C2", "chain": "E", "other": "X", "stuck": "H", "stranger": "S"}}
	before := maps.Clone(s.blobs)
	want := Rollback{Changes: 10, Restored: 3, AsBefore: 1, Repeated: 3, Left: 3}
	dry, err := RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, true, nil)
	sameRollback(t, dry, err, want)
	if !maps.Equal(s.blobs, before) {
		t.Errorf("looking changed something: %v", s.blobs)
	}
	u, err := OpenUndo(path, "table", 0) // the run could go on
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, false, nil); !errors.Is(err, ErrInUse) {
		t.Errorf("while the run goes on: %v", err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	calls := 0
	got, err := RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, false, func(Rollback) { calls++ })
	sameRollback(t, got, err, want)
	after := map[string]string{"moved": "a", "never": "b", "twice": "c", "chain": "e", "other": "X", "stuck": "H", "stranger": "S"}
	if !maps.Equal(s.blobs, after) || calls == 0 {
		t.Errorf("%v, want %v; %d calls", s.blobs, after, calls)
	}
	s.refused = nil
	got, err = RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, false, nil)
	sameRollback(t, got, err, Rollback{Changes: 10, Restored: 1, AsBefore: 5, Repeated: 2, Left: 2})
	if _, err := OpenUndo(path, "table", 0); !errors.Is(err, ErrRolledBack) {
		t.Errorf("the run goes on: %v", err)
	}
	if _, err := RollBack(t.Context(), UndoFile{Path: path, Input: "another"}, s, false, nil); !errors.Is(err, ErrOtherRun) {
		t.Errorf("of another table: %v", err)
	}
}

func sameRollback(t *testing.T, got *Rollback, err error, want Rollback) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got.Changes != want.Changes || got.Restored != want.Restored || got.AsBefore != want.AsBefore || got.Repeated != want.Repeated || got.Left != want.Left || int64(len(got.Failures)) != want.Left {
		t.Errorf("%+v, want %+v", *got, want)
	}
	if got.Changes != got.Restored+got.AsBefore+got.Repeated+got.Left {
		t.Errorf("the counts of %+v do not add up", *got)
	}
	reasons := map[string]string{"other": FaultChanged, "gone": FaultChanged, "stuck": FaultRefused}
	for _, f := range got.Failures {
		if reasons[f.ID] != f.Code || f.Row < 1 {
			t.Errorf("%+v", f)
		}
	}
}

// A rollback that ended anywhere goes on.
func TestRollBackGoesOn(t *testing.T) {
	var changes [][3]string
	blobs := map[string]string{}
	for i := range 1200 {
		key := fmt.Sprint(i)
		changes = append(changes, [3]string{key, "a" + key, "b" + key})
		blobs[key] = "b" + key
	}
	path := writeChanges(t, changes...)
	s := &shelf{blobs: blobs, most: 700}
	if got, err := RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, false, nil); !errors.Is(err, errShelf) || got.Restored != 500 {
		t.Fatalf("%+v, %v", got, err)
	}
	s.most = 0
	got, err := RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, false, nil)
	sameRollback(t, got, err, Rollback{Changes: 1200, Restored: 500, AsBefore: 700})
	for key, blob := range s.blobs {
		if blob != "a"+key {
			t.Fatalf("%s is %s", key, blob)
		}
	}
}

// A rollback says when it has begun, and when it has ended with what.
func TestRollBackSaysHowItStands(t *testing.T) {
	path := writeChanges(t, [3]string{"k1", "a", "A"}, [3]string{"k2", "b", "B"})
	journal, run := filepath.Join(filepath.Dir(path), "journal"), Header{Input: "table"}
	if err := os.Rename(path, UndoPath(journal)); err != nil {
		t.Fatal(err)
	}
	check := func(when, want string) {
		t.Helper()
		back, err := RolledBack(journal, run, History{})
		if got := State(true, Pulse{}, back); err != nil || got != want {
			t.Errorf("%s: %s, %v", when, got, err)
		}
	}
	check("before it", "done")
	s := &shelf{blobs: map[string]string{"k1": "A", "k2": "X"}, most: 1}
	undo := UndoFile{Path: UndoPath(journal), Input: "table"}
	if _, err := RollBack(t.Context(), undo, s, false, nil); !errors.Is(err, errShelf) {
		t.Fatal(err)
	}
	check("ended half-way", "done, and being taken back by a rollback that has not ended: start it again")
	s.most = 0
	for _, want := range []string{"done, and taken back by a rollback, but for 1 rows", "done, and taken back by a rollback"} {
		if _, err := RollBack(t.Context(), undo, s, true, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := RollBack(t.Context(), undo, s, false, nil); err != nil {
			t.Fatal(err)
		}
		check("ended", want)
		s.blobs["k2"] = "B"
	}
	info, err := os.Stat(undo.Path)
	if err != nil {
		t.Fatal(err)
	}
	undo.Covered = info.Size() + 1 // somebody has cut it
	for range 2 {
		if got, err := RollBack(t.Context(), undo, s, false, nil); err != nil || got.Left != 1 || got.Failures[0].Code != FaultUndo {
			t.Errorf("%+v, %v", got, err)
		}
		check("an undo file that was cut", "done, and taken back by a rollback, but for 1 rows")
	}
}

// Wherever an undo file is cut that the journal knows better, each rollback says that a row is missing, and goes on.
func TestRollBackOfACutFile(t *testing.T) {
	path := writeChanges(t, [3]string{"k1", "a", "A"}, [3]string{"k2", "b", "B"})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for n := first; n < len(whole)-1; n++ { // only without its end the last line is whole again
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s := &shelf{blobs: map[string]string{"k1": "A", "k2": "B"}}
		undo := UndoFile{Path: path, Input: "table", Covered: int64(len(whole))}
		for range 2 {
			got, err := RollBack(t.Context(), undo, s, false, nil)
			if err != nil || got.Left == 0 || got.Failures[0].Code != FaultUndo || s.blobs["k2"] != "B" {
				t.Fatalf("cut at byte %d: %+v, %v", n, got, err)
			}
			if _, err := OpenUndo(path, "table", 0); !errors.Is(err, ErrRolledBack) && !errors.Is(err, ErrUndoDamaged) {
				t.Fatalf("cut at byte %d: the run goes on: %v", n, err)
			}
		}
	}
}

// A damaged line costs its own row alone, and is told.
func TestRollBackPastDamage(t *testing.T) {
	path := writeChanges(t, [3]string{"k1", "a", "A"}, [3]string{"k2", "b", "B"}, [3]string{"k3", "c", "C"})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"k2"`), []byte(`"k9"`), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &shelf{blobs: map[string]string{"k1": "A", "k2": "B", "k3": "C", "k9": "B"}}
	got, err := RollBack(t.Context(), UndoFile{Path: path, Input: "table"}, s, false, nil)
	if err != nil || got.Restored != 2 || got.Left != 1 || len(got.Failures) != 1 || got.Failures[0].Code != FaultUndo {
		t.Errorf("%+v, %v", got, err)
	}
	if want := map[string]string{"k1": "a", "k2": "B", "k3": "c", "k9": "B"}; !maps.Equal(s.blobs, want) {
		t.Errorf("%v, want %v", s.blobs, want)
	}
	r, err := ReadUndo(UndoFile{Path: path, Input: "table"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := 0
	for err != io.EOF {
		_, err = r.Next()
		lines++
	}
	if lines != 4 { // one of them damaged, and the end
		t.Errorf("%d lines", lines)
	}
}
