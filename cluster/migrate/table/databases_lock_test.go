//go:build databases

package table

import (
	"context"
	"errors"
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// lock holds a whole table until the returned function is called.
func (s *server) lock(t testing.TB, table string) (unlock func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := s.db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE", "ROLLBACK"
	if s.quote == mySQLQuote {
		begin, end = "LOCK TABLES "+table+" WRITE", "UNLOCK TABLES"
	}
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(ctx, end); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A table that somebody has locked is waited for, and not without end: when it is opened, when it is read, and when it is
// written. Who has enough of it is let go.
func TestLockedTable(t *testing.T) {
	for name, s := range servers(t) {
		s.create(t, "locked_"+name, "id int PRIMARY KEY, b text")
		s.exec(t, "INSERT INTO locked_"+name+" VALUES (1, 'YWJj'), (2, 'YWJj'), (3, 'YWJj')")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servers(t)[name]
			source, err := ParseSource(s.url)
			if err != nil {
				t.Fatal(err)
			}
			spec := Spec{Table: "locked_" + name, Key: "id", Blob: "b", Where: "id > 0"}
			table := s.open(t, spec)
			unlock := s.lock(t, spec.Table)
			var answer *Error
			if _, err := Open(t.Context(), source, spec); !errors.As(err, &answer) || !answer.Away || !strings.Contains(err.Error(), "opening table "+spec.Table+": another transaction holds it") {
				t.Errorf("opened: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := Open(ctx, source, spec); !errors.Is(err, context.Canceled) {
				t.Errorf("opened and ended: %v", err)
			}
			if _, _, err := table.db.page(t.Context(), nil, 1); table.db.judge(err) != troubleBusy {
				t.Errorf("read: %v", err)
			}
			if _, err := table.db.swap(t.Context(), threeChanges(), true); table.db.judge(err) != troubleBusy {
				t.Errorf("written: %v", err)
			}
			unlock()
			s.endLocked(t, spec)
		})
	}
}

// endLocked ends a run whose table is locked when it is to be written.
func (s *server) endLocked(t *testing.T, spec Spec) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var unlock func()
	way := few{batch: 10, before: func([]*migrate.Row) error {
		unlock = s.lock(t, spec.Table)
		cancel()
		return nil
	}}
	table, journal := s.open(t, spec), journalPath(t)
	last, err := migrate.Run(ctx, migrate.Config{
		Header: migrate.Header{Way: "marker", Input: table.Name()}, Journal: journal, Way: way, Medium: table.Medium(way, migrate.Rules{}, table.Name(), migrate.UndoPath(journal)),
	})
	unlock()
	if !errors.Is(err, context.Canceled) || last.Rows != 0 {
		t.Errorf("a run that was ended: %+v, %v", last, err)
	}
}
