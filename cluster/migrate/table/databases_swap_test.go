//go:build databases

package table

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// Blobs are compared byte by byte, whatever the collation of their column takes for the same.
func TestBlobsAreComparedExactly(t *testing.T) {
	all := servers(t)
	all["postgres"].exec(t, `CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	for name, column := range map[string]string{"postgres": "text COLLATE folding", "mysql": "varchar(400) COLLATE utf8mb4_general_ci"} {
		s := all[name]
		s.create(t, "exact", "id int PRIMARY KEY, b "+column)
		s.exec(t, "INSERT INTO exact VALUES (1, 'yWJJ'), (2, 'YWJj'), (3, 'YWJj ')") // abc is YWJj
		table := s.open(t, Spec{Table: "exact", Key: "id", Blob: "b"})
		var changes []change
		for _, key := range []string{"1", "2", "3", "4"} {
			changes = append(changes, change{Change: migrate.Change{Key: key, Before: []byte("abc"), After: []byte("new")}})
		}
		results, err := table.swapAll(t.Context(), changes, true)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []migrate.Found{migrate.FoundOther, migrate.FoundAfter, migrate.FoundOther, migrate.FoundNone} {
			if r := results[i]; r.found != want || r.made != (i == 1) || r.refused != nil {
				t.Errorf("%s, row %s: %+v, want %s", name, changes[i].Key, r, want)
			}
		}
	}
}

// A row that does not meet the condition any more, or names another destination than it did, is not written, and is when a
// run is taken back. Columns may have any name.
func TestGuardedWrites(t *testing.T) {
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s.create(t, "guarded", "k int PRIMARY KEY, v text, n int, o varchar(40)")
			s.exec(t, "INSERT INTO guarded VALUES (1, 'YWJj', 1, 'x'), (2, 'YWJj', 0, 'x'), (3, 'YWJj', NULL, 'x'), (4, 'YWJj', 1, 'X'), (5, 'YWJj', 1, NULL)")
			table := s.open(t, Spec{Table: "guarded", Key: "k", Blob: "v", To: "o", Where: "n > 0 AND o IS NULL OR n > 0 AND o <> 'why? -- ' -- or not"})
			if err := table.TryWrite(t.Context()); err != nil {
				t.Fatal(err)
			}
			var changes []change
			for i, to := range []string{"x", "x", "x", "x", ""} {
				changes = append(changes, change{migrate.Change{Key: fmt.Sprint(i + 1), Before: []byte("abc"), After: []byte("new")}, to})
			}
			for i, want := range []string{"true after false", "false before true", "false before true", "false before false", "true after false"} {
				changed, err := table.swapAll(t.Context(), changes[i:i+1], true)
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(changed[0].made, " ", changed[0].found, " ", changed[0].outside); got != want || changed[0].refused != nil {
					t.Errorf("row %d: %s, want %s", i+1, got, want)
				}
			}
			changed, err := table.swapAll(t.Context(), changes, false)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range changed {
				if c.made != (i > 0 && i < 4) {
					t.Errorf("row %d, without the condition: %+v", i+1, c)
				}
			}
		})
	}
}

// A row that another transaction holds, one that a constraint refuses and one that is too long fail alone, and no row is
// waited for longer than a few seconds at a time.
func TestRowsThatCannotBeWritten(t *testing.T) {
	for name, s := range servers(t) {
		s.create(t, "held_"+name, "id int PRIMARY KEY, b varchar(60) NOT NULL, CHECK (b <> 'bW92ZWQ6c2Vjb25k')") // moved:second
		s.exec(t, "INSERT INTO held_"+name+" VALUES (1, 'Zmlyc3Q='), (2, 'c2Vjb25k'), (3, 'dGhpcmQ='), (4, '"+encode([]byte(strings.Repeat("x", 40)))+"'), (5, 'ZmlmdGg=')")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := servers(t)[name].db
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "UPDATE held_"+name+" SET b = 'aGVsZA==' WHERE id = 3"); err != nil {
				t.Fatal(err)
			}
			journal := journalPath(t)
			table := servers(t)[name].open(t, Spec{Table: "held_" + name, Key: "id", Blob: "b"})
			last, err := migrate.Run(t.Context(), migrate.Config{
				Header: migrate.Header{Way: "marker", Input: table.Name()}, Journal: journal, Way: marker{}, Medium: table.Medium(marker{}, migrate.Rules{}, table.Name(), migrate.UndoPath(journal)),
			})
			if err != nil || last.Counts != (migrate.Counts{Moved: 2, Failed: 3}) {
				t.Errorf("%+v, %v", last, err)
			}
			got := strings.Join(failures(t, journal), ", ")
			if got != "2 2 RefusedByServer, 3 3 Locked, 4 4 ColumnTooShort" {
				t.Errorf("failures %s", got)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			var held string
			if err := db.QueryRowContext(t.Context(), "SELECT b FROM held_"+name+" WHERE id = 3").Scan(&held); err != nil || held != "aGVsZA==" {
				t.Errorf("the row that was held has %q, %v", held, err)
			}
		})
	}
}

// A trigger that raises an error with any code fails its row alone, and the others are written.
func TestTriggersThatRaise(t *testing.T) {
	for name, raises := range map[string][]string{
		"postgres": {"'LH001'", "'insufficient_privilege'", "'42703'", "'XX000'"},
		"mysql":    {"'45000' SET MYSQL_ERRNO = 31001", "'42000' SET MYSQL_ERRNO = 1142", "'HY000' SET MYSQL_ERRNO = 1105"},
	} {
		s := servers(t)[name]
		for _, raise := range raises {
			t.Run(name+" "+raise, func(t *testing.T) {
				s.create(t, "raising", "id int PRIMARY KEY, b text")
				s.exec(t, "INSERT INTO raising VALUES (1, 'YWJj'), (2, 'YWJj'), (3, 'YWJj')")
				if name == "postgres" {
					s.trigger(t, "raising", "BEFORE", "IF NEW.id = 2 THEN RAISE EXCEPTION 'on hold' USING ERRCODE = "+raise+"; END IF; RETURN NEW;")
				} else {
					s.trigger(t, "raising", "BEFORE", "IF NEW.id = 2 THEN SIGNAL SQLSTATE "+raise+"; END IF;")
				}
				table := s.open(t, Spec{Table: "raising", Key: "id", Blob: "b"})
				results, err := table.swapAll(t.Context(), threeChanges(), true)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range results {
					if (r.refused != nil) != (i == 1) || r.made == (i == 1) {
						t.Errorf("row %d: %+v", i+1, r)
					}
				}
			})
		}
	}
}

// What a trigger makes of a blob, in the row or in a statement of its own, is not left there: such a row fails alone, and
// holds what it held.
func TestTriggersThatAlter(t *testing.T) {
	for name, bodies := range map[string]map[string]string{
		"postgres": {
			"blob":  "IF NEW.id = 2 THEN NEW.b = 'eHh4'; END IF; RETURN NEW;",
			"key":   "IF NEW.id = 2 THEN NEW.id = 22; END IF; RETURN NEW;",
			"null":  "IF NEW.id = 2 THEN NEW.b = NULL; END IF; RETURN NEW;",
			"AFTER": "IF NEW.id = 2 THEN UPDATE altering SET b = 'eHh4' WHERE id = 2 AND b <> 'eHh4'; END IF; RETURN NULL;",
		},
		"mysql": {"blob": "IF NEW.id = 2 THEN SET NEW.b = 'eHh4'; END IF;", "key": "IF NEW.id = 2 THEN SET NEW.id = 22; END IF;", "null": "IF NEW.id = 2 THEN SET NEW.b = NULL; END IF;"},
	} {
		s := servers(t)[name]
		for what, body := range bodies {
			t.Run(name+" "+what, func(t *testing.T) {
				s.create(t, "altering", "id int PRIMARY KEY, b text")
				s.exec(t, "INSERT INTO altering VALUES (1, 'YWJj'), (2, 'YWJj'), (3, 'YWJj')")
				when := "BEFORE"
				if what == "AFTER" {
					when = what
				}
				s.trigger(t, "altering", when, body)
				table := s.open(t, Spec{Table: "altering", Key: "id", Blob: "b"})
				results, err := table.swapAll(t.Context(), threeChanges(), true)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range results {
					if (r.refused != nil) != (i == 1) || r.made == (i == 1) || r.refused != nil && r.refused.Code != FaultDatabase {
						t.Errorf("row %d: %+v", i+1, r)
					}
				}
				if found, err := table.lookUp(t.Context(), []string{"2"}); err != nil || found[0] == nil || string(found[0].blob) != "YWJj" {
					t.Errorf("the row: %+v, %v", found[0], err)
				}
			})
		}
	}
}

// A trigger that passes over a write leaves the old blob there.
func TestTriggersThatIgnore(t *testing.T) {
	for name, body := range map[string]string{"postgres": "IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW;", "mysql": "IF NEW.id = 2 THEN SET NEW.b = OLD.b; END IF;"} {
		s := servers(t)[name]
		s.create(t, "ignoring", "id int PRIMARY KEY, b text")
		s.exec(t, "INSERT INTO ignoring VALUES (1, 'YWJj'), (2, 'YWJj'), (3, 'YWJj')")
		s.trigger(t, "ignoring", "BEFORE", body)
		results, err := s.open(t, Spec{Table: "ignoring", Key: "id", Blob: "b"}).swapAll(t.Context(), threeChanges(), true)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []migrate.Found{migrate.FoundAfter, migrate.FoundBefore, migrate.FoundAfter} {
			if r := results[i]; r.found != want || r.made != (i != 1) || r.refused != nil {
				t.Errorf("%s, row %d: %+v, want %s", name, i+1, r, want)
			}
		}
	}
}

// threeChanges are of the rows 1, 2 and 3, from abc to new.
func threeChanges() []change {
	var changes []change
	for _, key := range []string{"1", "2", "3"} {
		changes = append(changes, change{Change: migrate.Change{Key: key, Before: []byte("abc"), After: []byte("new")}})
	}
	return changes
}

// What ends the rights to write, or the column, ends the run and fails no row.
func TestWritesThatEnd(t *testing.T) {
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s.create(t, "ending", "id int PRIMARY KEY, b text, c text")
			s.exec(t, "INSERT INTO ending VALUES (1, 'YWJj', ''), (2, 'YWJj', ''), (3, 'YWJj', '')")
			to := map[string]string{"postgres": "mover", "mysql": "mover@localhost"}[name]
			mover := s.asUser(t, "mover", "GRANT SELECT, UPDATE ON ending TO "+to)
			table := mover.open(t, Spec{Table: "ending", Key: "id", Blob: "b"})
			s.exec(t, "REVOKE UPDATE ON ending FROM "+to)
			if results, err := table.swapAll(t.Context(), threeChanges(), true); err == nil || table.db.judge(err) != troubleDenied {
				t.Errorf("no right to write: %+v, %v", results, err)
			}
			s.exec(t, "GRANT UPDATE ON ending TO "+to)
			s.exec(t, "ALTER TABLE ending DROP COLUMN b")
			if results, err := table.swapAll(t.Context(), threeChanges(), true); err == nil {
				t.Errorf("no column: %+v", results)
			}
		})
	}
}

// A server whose sessions begin transactions by themselves shows what is there now all the same.
func TestNoAutocommit(t *testing.T) {
	s := servers(t)["mysql"]
	s.exec(t, "SET GLOBAL autocommit = 0")
	t.Cleanup(func() { s.exec(t, "SET GLOBAL autocommit = 1") })
	s.create(t, "snapshot", "id int PRIMARY KEY, b text")
	s.exec(t, "INSERT INTO snapshot VALUES (1, 'YWJj'), (2, 'YWJj')")
	table := s.open(t, Spec{Table: "snapshot", Key: "id", Blob: "b", Page: 1})
	if row, err := table.Next(t.Context()); err != nil || row.ID != "1" {
		t.Fatalf("%+v, %v", row, err)
	}
	s.exec(t, "UPDATE snapshot SET b = 'bmV3'")
	if row, err := table.Next(t.Context()); err != nil || string(row.Blob) != "new" {
		t.Errorf("%+v, %v", row, err)
	}
}

// Columns of char are read without the blanks that a mode of the server would add, whoever sets it.
func TestPaddedColumns(t *testing.T) {
	s := servers(t)["mysql"]
	s.exec(t, "SET GLOBAL sql_mode = CONCAT(@@sql_mode, ',PAD_CHAR_TO_FULL_LENGTH')")
	t.Cleanup(func() { s.exec(t, "SET GLOBAL sql_mode = DEFAULT") })
	s.create(t, "padded", "id char(9) PRIMARY KEY, b char(200), o char(20)")
	s.exec(t, "INSERT INTO padded VALUES ('1', 'YWJj', 'alias/x')")
	for _, mode := range []string{"", "&sql_mode='PAD_CHAR_TO_FULL_LENGTH'", "&SQL_MODE='STRICT_TRANS_TABLES,PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES'"} {
		other := &server{url: s.url + mode, quote: s.quote}
		table := other.open(t, Spec{Table: "padded", Key: "id", Blob: "b", To: "o"})
		if row, err := table.Next(t.Context()); err != nil || row.ID != "1" || string(row.Blob) != "abc" || row.To != "alias/x" {
			t.Errorf("%s: %+v, %v", mode, row, err)
		}
		results, err := table.swapAll(t.Context(), []change{{migrate.Change{Key: "1", Before: []byte("abc"), After: []byte("abc")}, "alias/x"}}, true)
		if err != nil || results[0].found != migrate.FoundAfter {
			t.Errorf("%s: %+v, %v", mode, results, err)
		}
	}
}

// What is in the other columns is read with the row; what no row of ours has is refused without being read whole.
func TestColumns(t *testing.T) {
	for name, s := range servers(t) {
		s.create(t, "odd name.1", "id int PRIMARY KEY, "+quoteName("the blob", s.quote)+" text, c text, j "+map[string]string{"postgres": "jsonb", "mysql": "json"}[name]+", k text")
		quoted := quoteName("odd name.1", s.quote)
		big := "repeat('A', 10000000)"
		if name == "mysql" {
			s.exec(t, "ALTER TABLE "+quoted+" MODIFY "+quoteName("the blob", s.quote)+" longtext")
		}
		s.exec(t, "INSERT INTO "+quoted+` VALUES (1, 'YWJj', '{"a":"b"}', '{"a":"b"}', 'alias/x'), (2, 'YWJj', NULL, 'null', NULL), (3, NULL, '', '{}', ''), (4, 'Y', '[]', '[]', NULL)`)
		s.exec(t, "INSERT INTO "+quoted+" VALUES (5, "+big+", NULL, NULL, NULL), (6, 'YWJj', "+strings.Replace(big, "10000000", "65530", 1)+", NULL, NULL)")
		spec := Spec{Table: quoted, Key: "id", Blob: "the blob", Context: "j", To: "k", Where: "id < 100 -- not the others"}
		var got []string
		for _, context := range []string{"j", "c"} {
			spec.Context = context
			table := s.open(t, spec)
			for {
				row, err := table.Next(t.Context())
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				fault := ""
				if row.Fault != nil {
					fault = row.Fault.Code
				}
				got = append(got, strings.Join([]string{context, row.ID, string(row.Blob), row.To, fault}, " "))
				if pairs := row.Context.Pairs(); row.ID == "1" && (len(pairs) != 1 || pairs[0].Value != "b") {
					t.Errorf("%s: context %v", name, pairs)
				}
			}
		}
		want := []string{"j 1 abc alias/x ", "j 2 abc  ", "j 3   NotABlob", "j 4   NotABlob", "j 5   NotABlob", "j 6 abc  ",
			"c 1 abc alias/x ", "c 2 abc  ", "c 3   NotABlob", "c 4   NotABlob", "c 5   NotABlob", "c 6 abc  Context"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Texts are bounded in bytes and not in characters, and a page is bounded however large its rows are.
func TestLargeColumns(t *testing.T) {
	for name, s := range servers(t) {
		t.Run(name, func(t *testing.T) {
			long := map[string]string{"postgres": "text", "mysql": "longtext"}[name]
			s.create(t, "large", "id int PRIMARY KEY, b "+long+", c "+long+", o "+long)
			s.exec(t, "INSERT INTO large VALUES (1, 'YWJj', concat('{\"a\":\"', repeat('日', 30000), '\"}'), NULL), (2, 'YWJj', NULL, repeat('日', 30000)), (3, 'YWJj', '{\"a\":\"日\"}', '日')")
			table := s.open(t, Spec{Table: "large", Key: "id", Blob: "b", Context: "c", To: "o"})
			for i, want := range []string{migrate.FaultContext, migrate.FaultNoTarget, ""} {
				row, err := table.Next(t.Context())
				if err != nil || (row.Fault == nil) != (want == "") || row.Fault != nil && row.Fault.Code != want {
					t.Errorf("row %d: %+v, %v, want %q", i+1, row, err, want)
				}
			}
			s.exec(t, "DELETE FROM large")
			for id := range 150 {
				s.exec(t, fmt.Sprintf("INSERT INTO large VALUES (%d, repeat('YWJj', 10000), NULL, NULL)", id))
			}
			for id := range 10 {
				s.exec(t, fmt.Sprintf("INSERT INTO large VALUES (%d, 'YWJj', NULL, NULL)", 150+id))
			}
			table = s.open(t, table.spec)
			for id := range 160 {
				if row, err := table.Next(t.Context()); err != nil || row.ID != fmt.Sprint(id) || row.Fault != nil {
					t.Fatalf("row %d: %+v, %v", id, row, err)
				}
				if len(table.page) > 104 {
					t.Fatalf("a page of %d rows", len(table.page))
				}
			}
			if _, err := table.Next(t.Context()); err != io.EOF {
				t.Error(err)
			}
		})
	}
}
