//go:build databases

package table

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// fitCase is a table that cannot be moved, and why.
type fitCase struct {
	columns string
	spec    Spec
	fault   string
}

func TestUnfitTables(t *testing.T) {
	plain := Spec{Table: "fit", Key: "id", Blob: "b"}
	with := func(change func(*Spec)) Spec {
		s := plain
		change(&s)
		return s
	}
	common := []fitCase{
		{"id int, b text", plain, "no unique index over column"},
		{"id int, b text, PRIMARY KEY (b(20))", plain, "primary key is b"},
		{"id int, k int, b text, PRIMARY KEY (id, k)", plain, "The primary key has several columns (id, k)"},
		{"id int UNIQUE, b text", plain, "may be NULL"},
		{"id int PRIMARY KEY, b int", plain, "want"},
		{"id date PRIMARY KEY, b text", plain, `key column "id" is of type date`},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Key = "nr" }), `there is no column "nr"; there are b, id`},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Blob = "blob" }), `there is no column "blob"`},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Context = "c" }), `there is no column "c"`},
		{"id int PRIMARY KEY, b text, c int", with(func(s *Spec) { s.Context = "c" }), `column "c" is of type int`},
		{"id int PRIMARY KEY, b text, c int", with(func(s *Spec) { s.To = "c" }), `column "c" is of type int`},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Where = "id >" }), "the condition: "},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Where = "id > 1) OR (id < 5" }), "the condition: "},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Where = "id > 1 ORDER BY id" }), "the condition: "},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Where = "id > 1; DROP TABLE fit" }), "the condition: "},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Table = "nowhere.fit" }), "there is no table"},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Table = "fit; DROP TABLE fit" }), "there is no table"},
		{"id int PRIMARY KEY, b text", with(func(s *Spec) { s.Table = "a.b.c" }), "at the most"},
		{"id int PRIMARY KEY, b text, g text GENERATED ALWAYS AS ('x') STORED", with(func(s *Spec) { s.Blob = "g" }), "is generated"},
	}
	for name, s := range servers(t) {
		for _, c := range common {
			if name == "postgres" {
				c.columns = strings.ReplaceAll(c.columns, "b(20)", "b")
			}
			t.Run(name+" "+c.fault, func(t *testing.T) {
				s.create(t, "fit", c.columns)
				s.isUnfit(t, c.spec, c.fault)
			})
		}
	}
}

// isUnfit fails unless a table is refused for a reason.
func (s *server) isUnfit(t *testing.T, spec Spec, fault string) {
	t.Helper()
	source, err := ParseSource(s.url)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Open(t.Context(), source, spec)
	if err == nil {
		t.Error(table.Close())
	}
	if !errors.Is(err, ErrUnfit) && !errors.Is(err, ErrNoTable) || !strings.Contains(err.Error(), fault) {
		t.Errorf("%v, want %q", err, fault)
	}
}

// What only one of both has.
func TestUnfitInPostgres(t *testing.T) {
	s := servers(t)["postgres"]
	spec := Spec{Table: "fit", Key: "id", Blob: "b"}
	for _, c := range []struct{ columns, more, fault string }{
		{"id int NOT NULL, b text, UNIQUE (id) DEFERRABLE", "", "no unique index"},
		{"id int NOT NULL, b text", "CREATE UNIQUE INDEX ON fit (id) WHERE id > 5", "no unique index"},
		{"id text NOT NULL, b text", "CREATE UNIQUE INDEX ON fit (lower(id))", "no unique index"},
		{"id int PRIMARY KEY, b text", "ALTER TABLE fit ALTER b TYPE varchar(9)[] USING ARRAY[b]", "is of type _varchar"},
		{"id int PRIMARY KEY, b char(400)", "", "is of type bpchar"},
		{"id text GENERATED ALWAYS AS (md5(b)) STORED PRIMARY KEY, b text", "", "is generated from other columns"},
		{"id int PRIMARY KEY, b text", "CREATE TABLE fit_child () INHERITS (fit)", "inherit"},
	} {
		t.Run(c.fault+c.columns, func(t *testing.T) {
			s.create(t, "fit", c.columns)
			if c.more != "" {
				s.exec(t, c.more)
			}
			s.isUnfit(t, spec, c.fault)
			s.exec(t, "DROP TABLE IF EXISTS fit_child")
		})
	}
	s.create(t, "fit", "id int PRIMARY KEY, b text")
	s.exec(t, "CREATE VIEW fit_view AS SELECT * FROM fit")
	t.Cleanup(func() { s.exec(t, "DROP VIEW IF EXISTS fit_view") })
	s.isUnfit(t, Spec{Table: "fit_view", Key: "id", Blob: "b"}, "is no table")
	s.isUnfit(t, Spec{Table: "Fit", Key: "id", Blob: "b"}, "lower case")
	s.exec(t, "DROP VIEW fit_view")
	s.exec(t, "ALTER TABLE fit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
	s.asUser(t, "mover", "GRANT SELECT, UPDATE ON fit TO mover").isUnfit(t, spec, "row-level security")
}

// Keys that the database counts are fit.
func TestCountedKeys(t *testing.T) {
	for name, s := range servers(t) {
		s.create(t, "counted", map[string]string{"postgres": "id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "mysql": "id int AUTO_INCREMENT PRIMARY KEY"}[name]+", b text")
		s.open(t, Spec{Table: "counted", Key: "id", Blob: "b"})
	}
}

func TestUnfitInMySQL(t *testing.T) {
	s := servers(t)["mysql"]
	spec := Spec{Table: "fit", Key: "id", Blob: "b"}
	for _, c := range []struct{ columns, more, fault string }{
		{"id varchar(99) NOT NULL, b text, UNIQUE (id(5))", "", "no unique index"},
		{"id int PRIMARY KEY, b varbinary(300)", "ALTER TABLE fit ENGINE = MyISAM", "which has no transactions"},
		{"id int PRIMARY KEY, b binary(200)", "", "is of type binary"},
		{"id varchar(40) AS (md5(b)) STORED UNIQUE, b text", "", "is generated from other columns"},
	} {
		t.Run(c.fault+c.columns, func(t *testing.T) {
			s.create(t, "fit", c.columns)
			if c.more != "" {
				s.exec(t, c.more)
			}
			s.isUnfit(t, spec, c.fault)
		})
	}
	s.create(t, "fit", "id int PRIMARY KEY, b text")
	s.exec(t, "CREATE VIEW fit_view AS SELECT * FROM fit")
	t.Cleanup(func() { s.exec(t, "DROP VIEW fit_view") })
	s.isUnfit(t, Spec{Table: "fit_view", Key: "id", Blob: "b"}, "is no table")
}

// asUser is the server for a new user who may do one thing.
func (s *server) asUser(t *testing.T, user, grant string) *server {
	t.Helper()
	other := *s
	if s.quote == postgresQuote {
		s.exec(t, "CREATE ROLE "+user+" LOGIN")
		other.url = strings.Replace(s.url, "meridian@", user+"@", 1)
		t.Cleanup(func() { s.exec(t, "DROP OWNED BY "+user); s.exec(t, "DROP ROLE "+user) })
	} else {
		s.exec(t, "CREATE USER "+user+"@localhost")
		other.url = strings.Replace(s.url, "root@", user+"@", 1)
		t.Cleanup(func() { s.exec(t, "DROP USER "+user+"@localhost") })
	}
	s.exec(t, grant)
	return &other
}

// Who may read and not write is told so before anything is done.
func TestRightsAreTried(t *testing.T) {
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s.create(t, "rights", "id int PRIMARY KEY, b text")
			to := "mover"
			if name == "mysql" {
				to = "mover@localhost"
			}
			reader := s.asUser(t, "mover", "GRANT SELECT ON rights TO "+to)
			table := reader.open(t, Spec{Table: "rights", Key: "id", Blob: "b"})
			var answer *Error
			if err := table.TryWrite(t.Context()); !errors.As(err, &answer) || !answer.Denied {
				t.Errorf("a reader may write: %v", err)
			}
			s.exec(t, "GRANT UPDATE (b) ON rights TO "+to)
			if err := table.TryWrite(t.Context()); err != nil {
				t.Errorf("a writer of the column may not: %v", err)
			}
			stranger := s.asUser(t, "stranger", "SELECT 1")
			source, err := ParseSource(stranger.url)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), source, Spec{Table: "rights", Key: "id", Blob: "b"}); err == nil || !errors.As(err, &answer) && !errors.Is(err, ErrNoTable) {
				t.Errorf("a stranger may read: %v", err)
			}
		})
	}
}

// Who may write, but not in the transactions that are begun for them, is told which setting says so.
func TestReadOnlyByDefault(t *testing.T) {
	s := servers(t)["postgres"]
	s.create(t, "rights", "id int PRIMARY KEY, b text")
	mover := s.asUser(t, "mover", "GRANT SELECT, UPDATE ON rights TO mover")
	s.exec(t, "ALTER ROLE mover SET default_transaction_read_only = on")
	spec := Spec{Table: "rights", Key: "id", Blob: "b"}
	if err := mover.open(t, spec).TryWrite(t.Context()); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "default_transaction_read_only") || strings.Contains(err.Error(), "replica") {
		t.Errorf("%v", err)
	}
	mover.url += "&default_transaction_read_only=off"
	if err := mover.open(t, spec).TryWrite(t.Context()); err != nil {
		t.Errorf("as the error says: %v", err)
	}
}

// Pages are read and rows are written by the index of the key: no statement goes through the whole table.
func TestStatementsUseTheIndex(t *testing.T) {
	for name, s := range servers(t) {
		for _, key := range []string{"bigint", "varchar(40)", "uuid"} {
			t.Run(name+" "+key, func(t *testing.T) {
				s.create(t, "many", "id "+key+" PRIMARY KEY, b text, x text")
				value := map[string]string{"bigint": "%s", "varchar(40)": "concat('k', %s)", "uuid": "cast(concat('00000000-0000-4000-8000-', lpad(cast(%s as char(12)), 12, '0')) as uuid)"}[key]
				if name == "postgres" {
					s.exec(t, "INSERT INTO many SELECT "+fmt.Sprintf(value, "n")+", 'YWJj', repeat('x', 200) FROM generate_series(1, 50000) AS n")
					s.exec(t, "ANALYZE many")
				} else {
					s.exec(t, "INSERT INTO many SELECT "+fmt.Sprintf(value, "seq")+", 'YWJj', repeat('x', 200) FROM seq_1_to_50000")
					s.exec(t, "ANALYZE TABLE many")
				}
				table := s.open(t, Spec{Table: "many", Key: "id", Blob: "b", Page: 100})
				row, err := table.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, query := range table.plans(t, row.ID) {
					plan := s.explain(t, query.text, query.args...)
					if strings.Contains(plan, "Seq Scan on many") || strings.Contains(plan, " ALL ") || strings.Contains(plan, "filesort") || strings.Contains(plan, "Sort") {
						t.Errorf("%s\n%s", query.text, plan)
					}
				}
			})
		}
	}
}

type planned struct {
	text string
	args []any
}

// plans are the statements of a run.
func (t *Table) plans(tb testing.TB, key string) []planned {
	switch db := t.db.(type) {
	case *postgres:
		return []planned{{db.first + limit(100), nil}, {db.next + limit(100), []any{key}}, {db.byKeys, []any{[]string{key}}}, {db.guarded, []any{[]string{key}, []string{"a"}, []string{"b"}, []string{""}}}}
	case *mySQL:
		value, err := db.keyValue(key)
		if err != nil {
			tb.Fatal(err)
		}
		return []planned{{db.first + limit(100), nil}, {db.next + limit(100), []any{value}}, {strings.TrimSuffix(db.byKey[0]+"0"+db.byKey[1], ";"), []any{value}}, {strings.TrimSuffix(db.guarded, ";"), []any{"b", value, "a"}}}
	}
	return nil
}

// explain returns the plan of a statement as text.
func (s *server) explain(t *testing.T, query string, args ...any) string {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), "EXPLAIN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new([]byte)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(&plan, " %s ", *v.(*[]byte))
		}
		plan.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
