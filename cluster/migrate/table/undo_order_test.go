package table

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"meridian/cluster/migrate"
)

// keptChanges are those that an undo file has, by their keys; of two of one row the last.
func keptChanges(t *testing.T, file migrate.UndoFile) map[string]migrate.Change {
	t.Helper()
	r, err := migrate.ReadUndo(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	kept := map[string]migrate.Change{}
	for {
		switch c, err := r.Next(); {
		case err == io.EOF:
			return kept
		case err != nil:
			t.Fatal(err)
		default:
			kept[c.Key] = c
		}
	}
}

// When a row is replaced, what it held is in the undo file, also where it is read and moved once more.
func TestRowsAreKeptBeforeTheyAreReplaced(t *testing.T) {
	f := newFake("a", "b", "c", "d", "e")
	journal := journalPath(t)
	name := f.table(t).Name()
	seen := map[string]int{}
	f.before = func(call int, changes []change) error {
		kept := keptChanges(t, migrate.UndoFile{Path: migrate.UndoPath(journal), Input: name})
		for _, c := range changes {
			if k := kept[c.Key]; !bytes.Equal(k.Before, c.Before) || !bytes.Equal(k.After, c.After) {
				t.Errorf("call %d: %q becomes %q, and what is kept is %+v", call, c.Before, c.After, k)
			}
			seen[c.Key]++
		}
		if call == 1 {
			f.put("02", "of another")
		}
		return nil
	}
	if last, err := f.run(t, journal, few{batch: 2}); err != nil || last.Counts.Moved != 5 {
		t.Fatalf("%+v, %v", last, err)
	}
	f.is(t, "moved:a", "moved:of another", "moved:c", "moved:d", "moved:e")
	if len(seen) != 5 || seen["02"] != 2 {
		t.Errorf("replaced: %v", seen)
	}
}

// A row is not replaced if what it holds cannot be kept.
func TestNoRowIsReplacedThatIsNotKept(t *testing.T) {
	f := newFake("a", "b", "c")
	journal := journalPath(t)
	table := f.table(t)
	way := few{batch: 2}
	medium := table.Medium(way, migrate.Rules{}, table.Name(), migrate.UndoPath(journal))
	way.before = func(rows []*migrate.Row) error {
		if rows[0].Number == 1 {
			return medium.undo.Close() // from here on the disk takes no more of it
		}
		return nil
	}
	last, err := migrate.Run(t.Context(), migrate.Config{
		Header: migrate.Header{Way: "marker", Input: table.Name()}, Journal: journal, Way: way, Every: 1, Parallel: 1, Medium: medium,
	})
	if !errors.Is(err, os.ErrClosed) || last.Rows != 0 || f.calls != 0 {
		t.Errorf("%+v, %d calls, %v", last, f.calls, err)
	}
	f.is(t, "a", "b", "c")
}
