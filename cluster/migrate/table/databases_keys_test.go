//go:build databases

package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// keyCase is a type of key, with values of it as SQL and as they come out, in the order of the database.
type keyCase struct {
	server, key, blob string
	values            []string // SQL
}

func keyCases() []keyCase {
	texts := []string{"'a'", "'B'", "'b'", "'é'", "'z''\"`\\\\ %$1 ?'", "''", "'  '", "'日本'", "'-1'", "'a''; --'"}
	folded := []string{"'a'", "'B'", "'é'", "'z''\"`'", "''", "'日本'", "'-1'", "'ab'", "'aa '"}
	uuids := []string{"'00000000-0000-4000-8000-000000000000'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'", "'01890a5d-ac96-774b-bcce-b302099a8057'"}
	return []keyCase{
		{"postgres", "smallint", "text", []string{"-32768", "0", "32767"}},
		{"postgres", "integer", "bytea", []string{"-2147483648", "-1", "10", "9", "2147483647"}},
		{"postgres", "bigint", "varchar(400)", []string{"-9223372036854775808", "0", "9007199254740993", "9223372036854775807"}},
		{"postgres", "uuid", "bytea", uuids},
		{"postgres", "text", "text", texts},
		{"postgres", `text COLLATE "C"`, "bytea", texts},
		{"postgres", `text COLLATE folding`, "text", folded},
		{"postgres", "varchar(20)", "text", texts},
		{"postgres", "char(20)", "text", []string{"'a'", "'B'", "'é'"}},
		{"postgres", "bytea", "bytea", []string{`'\x'`, `'\x00'`, `'\x0000'`, `'\xff00'`, `'\x27'`}},
		{"mysql", "tinyint", "text", []string{"-128", "0", "127"}},
		{"mysql", "int zerofill", "blob", []string{"1", "42", "10", "9"}},
		{"mysql", "bigint", "varchar(400)", []string{"-9223372036854775808", "0", "9007199254740993", "9223372036854775807"}},
		{"mysql", "bigint unsigned", "varbinary(400)", []string{"0", "9007199254740993", "9007199254740992", "18446744073709551615"}},
		{"mysql", "uuid", "blob", uuids},
		{"mysql", "varchar(40)", "text", folded},
		{"mysql", "varchar(40) COLLATE utf8mb4_bin", "longtext", texts[:6]},
		{"mysql", "varchar(40) CHARACTER SET latin1", "char(250)", []string{"'a'", "'B'", "'\u00ff'", "'-1'", "'ab'"}},
		{"mysql", "char(36)", "tinytext", uuids},
		{"mysql", "varbinary(20)", "blob", []string{"''", "x'00'", "x'0000'", "x'ff00'", "x'27'"}},
		{"mysql", "binary(16)", "mediumblob", []string{"x'00'", "x'ff00'", "x'27'"}},
	}
}

// blobValue writes a blob into SQL.
func (s *server) blobValue(blob []byte, column string) string {
	switch {
	case !strings.Contains(column, "blob") && !strings.Contains(column, "bin") && column != "bytea":
		return "'" + encode(blob) + "'"
	case s.quote == postgresQuote:
		return fmt.Sprintf(`'\x%x'`, blob)
	}
	return fmt.Sprintf("x'%x'", blob)
}

// Every type of key is read in pages of any size, each row once, and found, changed and put back by its key.
func TestKeyTypes(t *testing.T) {
	all := servers(t)
	all["postgres"].exec(t, `CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	for _, c := range keyCases() {
		t.Run(c.server+" "+c.key+" "+c.blob, func(t *testing.T) {
			s := all[c.server]
			s.create(t, "keys", "id "+c.key+" NOT NULL PRIMARY KEY, blobs "+c.blob)
			for i, v := range c.values {
				s.exec(t, "INSERT INTO "+quoteName("keys", s.quote)+" VALUES ("+v+", "+s.blobValue(fmt.Appendf(nil, "blob %d", i), c.blob)+")")
			}
			var first []string
			for _, page := range []int{1, 2, 3, 100} {
				table := s.open(t, Spec{Table: "keys", Key: "id", Blob: "blobs", Page: page})
				var keys, blobs []string
				for {
					row, err := table.Next(t.Context())
					if err == io.EOF {
						break
					}
					if err != nil || row.Fault != nil {
						t.Fatalf("page of %d: %v, %v", page, err, row)
					}
					keys, blobs = append(keys, row.ID), append(blobs, string(row.Blob))
				}
				if first == nil {
					first = keys
				}
				slices.Sort(blobs)
				if len(blobs) != len(c.values) || len(slices.Compact(blobs)) != len(c.values) || !slices.Equal(first, keys) {
					t.Fatalf("page of %d: keys %q, first %q, blobs %q", page, keys, first, blobs)
				}
			}
			swapEach(t, s.open(t, Spec{Table: "keys", Key: "id", Blob: "blobs", Page: 2}), first)
		})
	}
}

// A database that is not in UTF-8 gets conditions, keys and blobs in its own encoding.
func TestOtherEncoding(t *testing.T) {
	s := servers(t)["postgres"].in(t, "latin", "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	s.create(t, "käys", "id text PRIMARY KEY, b text, note text")
	s.exec(t, `INSERT INTO "käys" VALUES ('ä', 'YWJj', 'Müller'), ('z', 'YWJj', convert_from('\x4dc383c2bc6c6c6572', 'UTF8'))`) // the UTF-8 of the first, as text
	table := s.open(t, Spec{Table: "käys", Key: "id", Blob: "b", Where: "note = 'Müller'"})
	var keys []string
	for row, err := table.Next(t.Context()); err != io.EOF; row, err = table.Next(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, row.ID)
	}
	if !slices.Equal(keys, []string{"ä"}) {
		t.Errorf("read %q", keys)
	}
	swapEach(t, s.open(t, Spec{Table: "käys", Key: "id", Blob: "b"}), []string{"ä", "z"})
}

// A key that changes only as the database takes for the same, in its letters' case, stays the key of its row: a run, a look
// at what it changed, and a rollback find it.
func TestKeyInOtherLetters(t *testing.T) {
	all := servers(t)
	all["postgres"].exec(t, `CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	for name, key := range map[string]string{"postgres": "text COLLATE folding", "mysql": "varchar(40) COLLATE utf8mb4_general_ci"} {
		t.Run(name, func(t *testing.T) {
			s := all[name]
			s.create(t, "letters", "id "+key+" PRIMARY KEY, b text")
			s.exec(t, "INSERT INTO letters VALUES ('one', 'YWJj'), ('two', 'YWJj')")
			journal := journalPath(t)
			table := s.open(t, Spec{Table: "letters", Key: "id", Blob: "b"})
			last, err := migrate.Run(t.Context(), migrate.Config{
				Header: migrate.Header{Way: "marker", Input: table.Name()}, Journal: journal, Way: marker{}, Medium: s.open(t, table.spec).Medium(marker{}, migrate.Rules{}, table.Name(), migrate.UndoPath(journal)),
			})
			if err != nil || last.Counts.Moved != 2 {
				t.Fatalf("%+v, %v", last, err)
			}
			s.exec(t, "UPDATE letters SET id = 'TWO' WHERE id = 'two'")
			pairs, err := table.Pairs(migrate.UndoFile{Path: migrate.UndoPath(journal), Input: table.Name()})
			if err != nil {
				t.Fatal(err)
			}
			defer pairs.Close()
			for range 2 {
				if _, _, err := pairs.Next(t.Context()); err != nil {
					t.Errorf("a pair: %v", err)
				}
			}
			back, err := migrate.RollBack(t.Context(), migrate.UndoFile{Path: migrate.UndoPath(journal), Input: table.Name()}, table, false, nil)
			if err != nil || back.Restored != 2 || back.Left != 0 {
				t.Errorf("%+v, %v", back, err)
			}
		})
	}
}

// swapEach changes every row at once, twice, and puts it back.
func swapEach(t *testing.T, table *Table, keys []string) {
	t.Helper()
	records, err := table.db.find(t.Context(), keys)
	if err != nil || len(records) != len(keys) {
		t.Fatalf("%d of %q, %v", len(records), keys, err)
	}
	var changes, back []change
	for i, key := range keys {
		if records[i] == nil || records[i].key != key {
			t.Fatalf("found %v for %q", records[i], key)
		}
		row := table.row(*records[i], 1)
		after := fmt.Appendf(nil, "\x00'after\\ %d", i)
		changes = append(changes, change{Change: migrate.Change{Key: key, Before: row.Blob, After: after}})
		back = append(back, change{Change: migrate.Change{Key: key, Before: after, After: row.Blob}})
	}
	for round, step := range []struct {
		changes []change
		made    bool
	}{{changes, true}, {changes, false}, {back, true}, {back, false}} {
		results, err := table.swapAll(t.Context(), step.changes, true)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.made != step.made || r.found != migrate.FoundAfter || r.refused != nil {
				t.Errorf("round %d, key %q: %+v", round, keys[i], r)
			}
		}
	}
}
