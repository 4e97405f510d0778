package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"meridian/cluster/migrate"
)

// few is a marker that takes so many rows at a time.
type few struct {
	marker
	batch int
	// before is called before each batch; an error ends the run.
	before func(rows []*migrate.Row) error
}

func (f few) Batch() int { return f.batch }

func (f few) Move(ctx context.Context, rows []*migrate.Row) ([]migrate.Outcome, error) {
	if f.before != nil {
		if err := f.before(rows); err != nil {
			return nil, err
		}
	}
	return f.marker.Move(ctx, rows)
}

func journalPath(t testing.TB) string { return filepath.Join(t.TempDir(), "journal") }

// textOf is what a column holds.
func textOf(s string) text { return text{int64(len(s)), &s} }

// failures are those of a run, as text.
func failures(t *testing.T, journal string) []string {
	t.Helper()
	_, history, err := migrate.ReadJournal(journal)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range history.Failures {
		found = append(found, fmt.Sprintf("%d %s %s", f.Row, f.ID, f.Code))
	}
	return found
}

// Rows are moved where they are, and what is wrong with one is said with its key.
func TestMove(t *testing.T) {
	f := newFake("a", "moved:b", "bad c", "d", "e")
	f.rows["06"] = record{key: "06", size: -1}
	f.rows["07"] = record{key: "07", size: maxColumn + 1}
	long := strings.Repeat("x", maxColumn+1)
	f.rows["08"] = record{key: "08", size: 1, blob: []byte("h"), context: textOf(long)}
	context := `{"a":1}`
	f.rows["09"] = record{key: "09", size: 1, blob: []byte("i"), context: textOf(context)}
	journal := journalPath(t)
	last, err := f.run(t, journal, few{batch: 2})
	if err != nil || !last.Done || last.Counts != (migrate.Counts{Moved: 3, Kept: 1, Failed: 5}) || last.Key != "09" {
		t.Fatalf("%+v, %v", last, err)
	}
	f.is(t, "moved:a", "moved:b", "bad c", "moved:d", "moved:e", "", "", "h", "i")
	want := []string{"3 03 Bad", "6 06 NotABlob", "7 07 NotABlob", "8 08 Context", "9 09 Context"}
	if got := failures(t, journal); !slices.Equal(got, want) {
		t.Errorf("failures %q, want %q", got, want)
	}
	calls := f.calls
	if again, err := f.run(t, journal, few{batch: 2}); err != nil || again != last || f.calls != calls {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

// A run that ends anywhere goes on behind its last checkpoint; rows that it had written behind that are kept.
func TestResume(t *testing.T) {
	broken := errors.New("broken")
	for stop := 1; stop <= 4; stop++ {
		for _, place := range []string{"before the move", "before the swap", "behind the swap"} {
			t.Run(fmt.Sprintf("%s %d", place, stop), func(t *testing.T) {
				f := newFake("a", "b", "c", "d", "e", "f", "g")
				way, moves := few{batch: 2}, 0
				switch place {
				case "before the move":
					way.before = func([]*migrate.Row) error {
						if moves++; moves == stop {
							return broken
						}
						return nil
					}
				case "before the swap":
					f.before = func(call int, _ []change) error {
						if call == stop {
							return broken
						}
						return nil
					}
				default:
					f.after = func(call int) error {
						if call == stop {
							return broken
						}
						return nil
					}
				}
				journal := journalPath(t)
				if last, err := f.run(t, journal, way); !errors.Is(err, broken) {
					t.Fatalf("%+v, %v", last, err)
				}
				last, err := f.run(t, journal, few{batch: 2})
				if err != nil || !last.Done || last.Rows != 7 || last.Counts.Failed > 0 {
					t.Fatalf("%+v, %v", last, err)
				}
				if kept := int64(0); place == "behind the swap" {
					if kept = 2; stop == 4 {
						kept = 1
					}
					if last.Counts.Kept != kept {
						t.Errorf("%+v, want %d kept", last.Counts, kept)
					}
				}
				f.is(t, "moved:a", "moved:b", "moved:c", "moved:d", "moved:e", "moved:f", "moved:g")
				rollBack(t, f, journal, migrate.Rollback{Restored: 7}, "a", "b", "c", "d", "e", "f", "g")
			})
		}
	}
}

// rollBack takes a run back and compares; counts of changes are not looked at.
func rollBack(t *testing.T, f *fake, journal string, want migrate.Rollback, blobs ...string) {
	t.Helper()
	table := f.table(t)
	calls := f.calls
	dry, err := migrate.RollBack(t.Context(), migrate.UndoFile{Path: migrate.UndoPath(journal), Input: table.Name()}, table, true, nil)
	if err != nil || dry.Restored < want.Restored || dry.Left != want.Left || f.calls != calls { // a marker, unlike a real way, may write the same change twice
		t.Errorf("dry: %+v, %v, want %+v", dry, err, want)
	}
	back, err := migrate.RollBack(t.Context(), migrate.UndoFile{Path: migrate.UndoPath(journal), Input: table.Name()}, table, false, nil)
	if err != nil || back.Restored != want.Restored || back.Left != want.Left || int(back.Left) != len(back.Failures) {
		t.Errorf("%+v, %v, want %+v", back, err, want)
	}
	f.is(t, blobs...)
	if again, err := migrate.RollBack(t.Context(), migrate.UndoFile{Path: migrate.UndoPath(journal), Input: table.Name()}, table, false, nil); err != nil || again.Restored != 0 || again.Left != want.Left {
		t.Errorf("again: %+v, %v", again, err)
	}
	f.is(t, blobs...)
	if last, err := f.run(t, journal, few{batch: 2}); last.Done || !errors.Is(err, migrate.ErrRolledBack) {
		t.Errorf("the run goes on, or is done: %+v, %v", last, err)
	}
}

// Other writers win: what they wrote is moved in its turn, and fails if they are there again, or the row is gone.
func TestOtherWriters(t *testing.T) {
	f := newFake("a", "b", "c", "d", "e", "f")
	f.before = func(call int, _ []change) error {
		switch call {
		case 1: // the batch
			f.put("01", "A")
			delete(f.rows, "02")
			f.put("03", "moved:C") // by another run
			f.put("04", "bad D")
			f.put("05", "E")
		case 2: // those that were changed
			f.put("05", "E2")
		}
		return nil
	}
	journal := journalPath(t)
	last, err := f.run(t, journal, few{batch: 10})
	if err != nil || last.Counts != (migrate.Counts{Moved: 2, Kept: 1, Failed: 3}) {
		t.Fatalf("%+v, %v", last, err)
	}
	f.is(t, "moved:A", "moved:C", "bad D", "E2", "moved:f")
	want := []string{"2 02 Changed", "4 04 Bad", "5 05 Changed"}
	if got := failures(t, journal); !slices.Equal(got, want) {
		t.Errorf("failures %q, want %q", got, want)
	}
	f.before = nil
	f.put("06", "f2") // after the run
	second := journalPath(t)
	if last, err = f.run(t, second, few{batch: 10}); err != nil || last.Counts != (migrate.Counts{Moved: 2, Kept: 2, Failed: 1}) {
		t.Errorf("a second run: %+v, %v", last, err)
	}
	f.is(t, "moved:A", "moved:C", "bad D", "moved:E2", "moved:f2")
	rollBack(t, f, second, migrate.Rollback{Restored: 2}, "moved:A", "moved:C", "bad D", "E2", "f2")
	// 02 is gone, and 03, 04 and 05 were never changed by the first run but by others; so was 06.
	rollBack(t, f, journal, migrate.Rollback{Restored: 1, Left: 5}, "A", "moved:C", "bad D", "E2", "f2")
}

// A row that does not meet the condition any more stays as it is, and one that names another destination meanwhile goes
// there; a run that is taken back does not ask for either.
func TestConditionMeanwhile(t *testing.T) {
	f := newFake("a", "b", "c", "d")
	f.before = func(call int, _ []change) error {
		switch call {
		case 1: // the batch
			f.outside["01"] = true
			r := f.rows["02"]
			r.to = textOf("alias/new")
			f.rows["02"] = r
			f.put("03", "C")
		case 2: // those that were changed
			f.outside["03"] = true
		}
		return nil
	}
	var went []string
	way := few{batch: 10, before: func(rows []*migrate.Row) error {
		for _, row := range rows {
			went = append(went, row.ID+" "+row.To)
		}
		return nil
	}}
	journal := journalPath(t)
	last, err := f.run(t, journal, way)
	if err != nil || last.Counts != (migrate.Counts{Moved: 2, Skipped: 2}) {
		t.Fatalf("%+v, %v", last, err)
	}
	f.is(t, "a", "moved:b", "C", "moved:d")
	if want := []string{"01 ", "02 ", "03 ", "04 ", "02 alias/new", "03 "}; !slices.Equal(went, want) {
		t.Errorf("moved %q, want %q", went, want)
	}
	f.before = nil
	f.outside["04"] = true
	rollBack(t, f, journal, migrate.Rollback{Restored: 2}, "a", "b", "C", "d")
}

// A commit whose answer was lost counts as what it did.
func TestLostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "b", "c")
		f.after = func(call int) error {
			if call == 1 {
				return errLost
			}
			return nil
		}
		last, err := f.run(t, journalPath(t), few{batch: 10})
		if err != nil || last.Counts != (migrate.Counts{Moved: 3}) {
			t.Errorf("%+v, %v", last, err)
		}
		f.is(t, "moved:a", "moved:b", "moved:c")
	})
}

// A server that stays away ends the run, which goes on when it is back.
func TestServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "b", "c")
		f.before = func(int, []change) error { return errLost }
		journal := journalPath(t)
		last, err := f.run(t, journal, few{batch: 2})
		var answer *Error
		if !errors.As(err, &answer) || !answer.Away || last.Done {
			t.Fatalf("%+v, %v", last, err)
		}
		f.before = nil
		if last, err = f.run(t, journal, few{batch: 2}); err != nil || last.Counts != (migrate.Counts{Moved: 3}) {
			t.Errorf("%+v, %v", last, err)
		}
	})
}

// A row that the database does not take, or that is locked all the time, fails alone.
func TestRowsThatFailAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("a", "b", "c", "d", "e")
		f.before = func(_ int, changes []change) error {
			for _, c := range changes {
				switch c.Key {
				case "02":
					return errRow
				case "03":
					return errBusy
				case "05":
					return errCut
				}
			}
			return nil
		}
		journal := journalPath(t)
		last, err := f.run(t, journal, few{batch: 10})
		if err != nil || last.Counts != (migrate.Counts{Moved: 2, Failed: 3}) {
			t.Fatalf("%+v, %v", last, err)
		}
		f.is(t, "moved:a", "b", "c", "moved:d", "e")
		if got, want := failures(t, journal), []string{"2 02 RefusedByServer", "3 03 Locked", "5 05 RefusedByServer"}; !slices.Equal(got, want) {
			t.Errorf("failures %q, want %q", got, want)
		}
		f.before = nil
		f.put("01", "A") // by another writer, after the run
		rollBack(t, f, journal, migrate.Rollback{Restored: 1, Left: 1}, "A", "b", "c", "d", "e")
	})
}

// Where the database takes a write and does nothing, no other writer is to blame.
func TestWritesThatAreIgnored(t *testing.T) {
	f := newFake("a", "b", "c")
	f.ignored = map[string]bool{"02": true}
	journal := journalPath(t)
	last, err := f.run(t, journal, few{batch: 10})
	if err != nil || last.Counts != (migrate.Counts{Moved: 2, Failed: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	_, history, err := migrate.ReadJournal(journal)
	if err != nil || len(history.Failures) != 1 || history.Failures[0].Code != FaultDatabase || !strings.Contains(history.Failures[0].Reason, "the old ciphertext is still there") {
		t.Errorf("%+v, %v", history.Failures, err)
	}
	f.ignored = map[string]bool{"01": true}
	back, err := migrate.RollBack(t.Context(), migrate.UndoFile{Path: migrate.UndoPath(journal), Input: f.table(t).Name()}, f.table(t), false, nil)
	if err != nil || back.Restored != 1 || back.Left != 1 || back.Failures[0].Code != migrate.FaultRefused {
		t.Errorf("%+v, %v", back, err)
	}
}

// A table that is locked as a whole is waited for, and no row fails for it. Where that lasts the run ends.
func TestTableIsLocked(t *testing.T) {
	for _, probes := range []int{1, 20, 1000} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake("a", "b", "c", "d")
			f.before = func(call int, _ []change) error {
				if call == 1 {
					f.barred = errBusy
				}
				return f.barred
			}
			f.probed = func() {
				if f.barred != nil {
					probes--
				}
				if probes == 0 {
					f.barred = nil
				}
			}
			last, err := f.run(t, journalPath(t), few{batch: 10})
			var answer *Error
			if probes > 0 && (!errors.As(err, &answer) || !answer.Away) || probes == 0 && (err != nil || last.Counts != (migrate.Counts{Moved: 4})) {
				t.Errorf("%d more: %+v, %v", probes, last, err)
			}
		})
	}
}

// An error that nobody knows is of a row if the table can be written besides, and ends the run if it cannot.
func TestUnknownErrors(t *testing.T) {
	f := newFake("a", "b", "c", "d")
	f.before = func(_ int, changes []change) error {
		for _, c := range changes {
			if c.Key == "02" {
				return errCode
			}
		}
		return nil
	}
	journal := journalPath(t)
	last, err := f.run(t, journal, few{batch: 10})
	if err != nil || last.Counts != (migrate.Counts{Moved: 3, Failed: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	if got, want := failures(t, journal), []string{"2 02 RefusedByServer"}; !slices.Equal(got, want) {
		t.Errorf("failures %q, want %q", got, want)
	}
	f.is(t, "moved:a", "b", "moved:c", "moved:d")
	f.barred = errors.New("the column is gone")
	if last, err = f.run(t, journalPath(t), few{batch: 10}); !errors.Is(err, f.barred) || last.Done {
		t.Errorf("%+v, %v", last, err)
	}
}

// A blob that has no room in its column is not cut off: up to its limit, and not one past it.
func TestColumnTooShort(t *testing.T) {
	for _, test := range []struct {
		kind kind
		most int64
		fits bool
	}{{kindBytes, 9, true}, {kindBytes, 8, false}, {kindText, 12, true}, {kindText, 11, false}, {kindText, 0, true}} {
		table := newFake().table(t)
		table.layout.blobKind, table.layout.most = test.kind, test.most
		if refused := table.fits([]byte("123456789")); (refused == nil) != test.fits || refused != nil && refused.Code != FaultTooLong {
			t.Errorf("%+v: %v", test, refused)
		}
	}
}

// The database is read a page at a time, and not once more when the last one was not full.
func TestPages(t *testing.T) {
	for rows, reads := range map[int]int{0: 1, 2: 1, 3: 2, 4: 2, 7: 3} {
		f := newFake(strings.Split(strings.Repeat("x", rows), "")...)
		table := f.table(t)
		for n := 0; ; n++ {
			if _, err := table.Next(t.Context()); err == io.EOF && n == rows {
				break
			} else if err != nil || n == rows {
				t.Fatalf("row %d of %d: %v", n, rows, err)
			}
		}
		if f.reads != reads {
			t.Errorf("%d rows: %d reads, want %d", rows, f.reads, reads)
		}
	}
}

// Pages are bounded in bytes, and next to nothing is read twice for that: after a page that was cut as many rows are asked
// for as it had, and more again when they are small.
func TestLargeRows(t *testing.T) {
	f := newFake(strings.Split(strings.Repeat("x", 60), "")...)
	f.size = 16
	for i, key := range f.keys() {
		if i < 20 {
			f.put(key, strings.Repeat("x", maxPage/4))
		}
	}
	table := f.table(t)
	for n := 0; ; n++ {
		row, err := table.Next(t.Context())
		if err == io.EOF && n == 60 {
			break
		}
		if err != nil || row.Number != int64(n+1) {
			t.Fatalf("row %d: %+v, %v", n, row, err)
		}
	}
	if want := []int{16, 3, 3, 3, 3, 3, 3, 3, 6, 12, 16, 16}; !slices.Equal(f.asked, want) {
		t.Errorf("asked for %d, want %d", f.asked, want)
	}
}

// Pairs are the blobs before and after the run; rows that others have changed are counted apart.
func TestPairs(t *testing.T) {
	f := newFake("a", "moved:b", "c", "d", "e", "f")
	f.before = func(call int, _ []change) error {
		if call == 1 {
			f.put("03", "C")
		}
		return nil
	}
	journal := journalPath(t)
	if last, err := f.run(t, journal, few{batch: 10}); err != nil {
		t.Fatal(last, err)
	}
	f.put("04", "D")
	f.put("05", "e")
	delete(f.rows, "06")
	table := f.table(t)
	if _, err := table.Pairs(migrate.UndoFile{Path: migrate.UndoPath(journal), Input: "another"}); !errors.Is(err, migrate.ErrOtherRun) {
		t.Errorf("of another table: %v", err)
	}
	pairs, err := table.Pairs(migrate.UndoFile{Path: migrate.UndoPath(journal), Input: table.Name()})
	if err != nil {
		t.Fatal(err)
	}
	defer pairs.Close()
	var got []string
	for {
		before, after, err := pairs.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", before.ID, before.Blob, after.Blob, after.Number))
	}
	if want := []string{"01 a moved:a 1", "03 C moved:C 3"}; !slices.Equal(got, want) || pairs.Changed() != 2 || pairs.NotMade() != 1 {
		t.Errorf("%q, changed %d, not made %d; want %q", got, pairs.Changed(), pairs.NotMade(), want)
	}
}
