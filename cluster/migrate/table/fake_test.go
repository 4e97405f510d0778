package table

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"meridian/cluster/migrate"
)

// fake is a database in memory, with integer keys of two digits.
type fake struct {
	mu   sync.Mutex // of a statement
	rows map[string]record
	size int // of a page
	// outside are the rows that do not meet the condition any more.
	outside map[string]bool
	// ignored are the rows of which a trigger passes over every write.
	ignored map[string]bool
	// before is called before each swap; what it returns is the answer.
	before func(call int, changes []change) error
	// after is called behind each swap that was made; what it returns is the answer.
	after  func(call int) error
	barred error // what tryWrite says
	probed func()
	calls  int
	reads  int
	asked  []int // rows, by each read
}

var (
	errBusy = errors.New("deadlock")
	errLost = errors.New("connection lost")
	errRow  = errors.New("violates a constraint")
	errCut  = errors.New("canceling statement")
	errCode = errors.New("a code of its own")
)

func (f *fake) page(_ context.Context, after *string, rows int) (page []record, cut bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	f.asked = append(f.asked, rows)
	size := 0
	for _, key := range f.keys() {
		if r := f.rows[key]; (after == nil || key > *after) && len(page) < rows {
			if size += r.bytes(); size > maxPage && len(page) > 0 {
				return page, true, nil
			}
			page = append(page, r)
		}
	}
	return page, false, nil
}

func (f *fake) keys() []string {
	var keys []string
	for key := range f.rows {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (f *fake) find(_ context.Context, keys []string) ([]*record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := make([]*record, len(keys))
	for i, key := range keys {
		if r, there := f.rows[key]; there {
			r.meets = !f.outside[key]
			found[i] = &r
		}
	}
	return found, nil
}

func (f *fake) swap(_ context.Context, changes []change, guarded bool) ([]bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.before != nil {
		if err := f.before(f.calls, changes); err != nil {
			return nil, err
		}
	}
	made := make([]bool, len(changes))
	for i, c := range changes {
		r, there := f.rows[c.Key]
		if there && !f.ignored[c.Key] && string(r.blob) == string(c.Before) && (!guarded || !f.outside[c.Key] && valueOf(r.to.value) == c.to) {
			r.blob, r.size = c.After, int64(len(c.After))
			f.rows[c.Key] = r
			made[i] = true
		}
	}
	if f.after != nil {
		if err := f.after(f.calls); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// valueOf is a text, empty for NULL.
func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (f *fake) put(key, blob string) {
	f.rows[key] = record{key: key, size: int64(len(blob)), blob: []byte(blob)}
}

func (f *fake) tryWrite(context.Context) error {
	if f.probed != nil {
		f.probed()
	}
	return f.barred
}

func (f *fake) judge(err error) trouble {
	switch {
	case errors.Is(err, errBusy):
		return troubleBusy
	case errors.Is(err, errCut):
		return troubleCut
	case errors.Is(err, errLost):
		return troubleLost
	case errors.Is(err, errRow):
		return troubleRow
	case errors.Is(err, errCode):
		return troubleUnknown
	}
	return troubleOther
}

func (f *fake) close() error { return nil }

// newFake makes rows with keys 01, 02 and so on.
func newFake(blobs ...string) *fake {
	f := &fake{rows: map[string]record{}, outside: map[string]bool{}, size: 3}
	for i, blob := range blobs {
		f.put(string([]byte{'0' + byte((i+1)/10), '0' + byte((i+1)%10)}), blob)
	}
	return f
}

// table makes a table of it, as a new process would.
func (f *fake) table(t testing.TB) *Table {
	t.Helper()
	source, err := ParseSource("postgres://host/db")
	if err != nil {
		t.Fatal(err)
	}
	return &Table{source: source, spec: Spec{Page: f.size, Blob: "wrapped"}, db: f, layout: layout{name: `"t"`, blobKind: kindBytes}}
}

// run moves it.
func (f *fake) run(t testing.TB, journal string, way migrate.Way) (migrate.Checkpoint, error) {
	t.Helper()
	table := f.table(t)
	medium := table.Medium(way, migrate.Rules{}, table.Name(), migrate.UndoPath(journal))
	medium.most = way.Batch() // so that a test knows what is written when
	return migrate.Run(t.Context(), migrate.Config{
		Header: migrate.Header{Way: "marker", Input: table.Name()}, Journal: journal, Way: way, Every: 1, Parallel: 1,
		Medium: medium,
	})
}

// is fails unless the rows hold these blobs.
func (f *fake) is(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	for _, key := range f.keys() {
		got = append(got, string(f.rows[key].blob))
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows hold %q, want %q", got, want)
	}
}
