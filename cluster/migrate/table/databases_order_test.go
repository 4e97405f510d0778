//go:build databases

package table

import (
	"errors"
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// A run over keys in another order is another run, and what changes about the key without changing the order is none.
func TestKeyOrder(t *testing.T) {
	all := servers(t)
	for _, c := range []struct {
		server, key, alter string
		same               bool
	}{
		{"postgres", "int", "ALTER TABLE ordered ALTER id TYPE bigint", true},
		{"postgres", "int", "ALTER TABLE ordered ALTER id TYPE text", false},
		{"postgres", "varchar(20)", "ALTER TABLE ordered ALTER id TYPE text", true},
		{"postgres", "text", `ALTER TABLE ordered ALTER id TYPE text COLLATE "C"`, false},
		{"postgres", "text", `ALTER TABLE ordered ALTER id TYPE char(20)`, false},
		{"postgres", `text COLLATE "und-x-icu"`, `DROP COLLATION IF EXISTS ordering; CREATE COLLATION ordering (provider = icu, locale = 'und'); ALTER TABLE ordered ALTER id TYPE text COLLATE ordering`, false},
		{"mysql", "int", "ALTER TABLE ordered MODIFY id bigint unsigned", true},
		{"mysql", "int", "ALTER TABLE ordered MODIFY id varchar(20)", false},
		{"mysql", "char(20)", "ALTER TABLE ordered MODIFY id varchar(30)", true},
		{"mysql", "varchar(20) COLLATE utf8mb4_bin", "ALTER TABLE ordered CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", false},
	} {
		t.Run(c.server+" "+c.alter, func(t *testing.T) {
			s := all[c.server]
			s.create(t, "ordered", "id "+c.key+" NOT NULL PRIMARY KEY, b text")
			journal := journalPath(t)
			header := func() migrate.Header {
				table := s.open(t, Spec{Table: "ordered", Key: "id", Blob: "b"})
				return migrate.Header{Input: table.Name(), Options: map[string]string{"order of keys": table.KeyOrder()}}
			}
			j, err := migrate.CreateJournal(journal, header())
			if err != nil || j.Close() != nil {
				t.Fatal(err)
			}
			s.exec(t, c.alter)
			changed := header()
			if j, _, err = migrate.OpenJournal(journal, changed); err == nil {
				err = j.Close()
			}
			if c.same && err != nil || !c.same && !errors.Is(err, migrate.ErrOtherRun) {
				t.Errorf("%v", err)
			}
			t.Logf("%s, %v", changed.Options["order of keys"], err)
		})
	}
}

// The order of a text depends on the collation behind the name, down to its version.
func TestKeyOrderOfCollations(t *testing.T) {
	s := servers(t)["postgres"]
	s.exec(t, `CREATE COLLATION IF NOT EXISTS folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	for key, want := range map[string][]string{
		"text":                     {`pg_catalog."default", provider `, "locale "},
		`text COLLATE folding`:     {"public.folding, provider i, locale und-u-ks-level2, version ", "not deterministic"},
		`text COLLATE "und-x-icu"`: {`pg_catalog."und-x-icu", provider i`, "version "},
		`varchar(20) COLLATE "C"`:  {`text in collation pg_catalog."C", provider c, locale C`},
		`char(20) COLLATE "C"`:     {`bpchar in collation pg_catalog."C"`},
		`uuid`:                     {"uuid"},
		`bytea`:                    {"bytea"},
	} {
		t.Run(key, func(t *testing.T) {
			s.create(t, "ordered", "id "+key+" PRIMARY KEY, b text")
			order := s.open(t, Spec{Table: "ordered", Key: "id", Blob: "b"}).KeyOrder()
			for _, part := range want {
				if !strings.Contains(order, part) {
					t.Errorf("%q, want %q", order, part)
				}
			}
		})
	}
}
