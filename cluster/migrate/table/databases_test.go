//go:build databases

package table

import (
	"context"
	"database/sql"
	"os"
	"strings"
	"testing"
)

// server is a database of .ci/databases.
type server struct {
	url   string
	quote byte
	db    *sql.DB
}

// servers are both; without them the test fails: the tag asks for them.
func servers(t testing.TB) map[string]*server {
	t.Helper()
	found := map[string]*server{}
	for name, v := range map[string]string{"postgres": "TEST_POSTGRES_URL", "mysql": "TEST_MYSQL_URL"} {
		text := os.Getenv(v)
		if text == "" {
			t.Fatalf("%s is empty: bash .ci/databases go test -tags databases ./cluster/migrate/table", v)
		}
		source, err := ParseSource(text)
		if err != nil {
			t.Fatal(err)
		}
		s := &server{url: text, quote: postgresQuote}
		if name == "postgres" {
			s.db = source.openPostgres()
		} else if s.db, err = source.openMySQL(true); err != nil {
			t.Fatal(err)
		} else {
			s.quote = mySQLQuote
		}
		t.Cleanup(func() {
			if err := s.db.Close(); err != nil {
				t.Error(err)
			}
		})
		found[name] = s
	}
	return found
}

// in is the server with another database of it, made with options.
func (s *server) in(t testing.TB, name, options string) *server {
	t.Helper()
	s.exec(t, "CREATE DATABASE "+name+" "+options)
	t.Cleanup(func() { s.exec(t, "DROP DATABASE "+name) })
	other := &server{url: strings.Replace(s.url, "/postgres?", "/"+name+"?", 1), quote: s.quote}
	source, err := ParseSource(other.url)
	if err != nil {
		t.Fatal(err)
	}
	other.db = source.openPostgres()
	t.Cleanup(func() {
		if err := other.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return other
}

// exec runs SQL.
func (s *server) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	if _, err := s.db.ExecContext(context.WithoutCancel(t.Context()), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// create makes a table that ends with the test.
func (s *server) create(t testing.TB, name, columns string) {
	t.Helper()
	quoted := quoteName(name, s.quote)
	s.exec(t, "DROP TABLE IF EXISTS "+quoted)
	s.exec(t, "CREATE TABLE "+quoted+" ("+columns+")")
	t.Cleanup(func() { s.exec(t, "DROP TABLE "+quoted) })
}

// trigger has statements run for each row of a table that is updated.
func (s *server) trigger(t testing.TB, table, when, body string) {
	t.Helper()
	if s.quote == mySQLQuote {
		s.exec(t, "CREATE TRIGGER "+table+"_"+when+" "+when+" UPDATE ON "+table+" FOR EACH ROW BEGIN "+body+" END")
		return
	}
	s.exec(t, "CREATE OR REPLACE FUNCTION "+table+"_"+when+"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+body+" END $$")
	s.exec(t, "CREATE TRIGGER "+table+"_"+when+" "+when+" UPDATE ON "+table+" FOR EACH ROW EXECUTE FUNCTION "+table+"_"+when+"()")
}

// open opens a table that has to be fit.
func (s *server) open(t testing.TB, spec Spec) *Table {
	t.Helper()
	source, err := ParseSource(s.url)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Open(t.Context(), source, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	return table
}
