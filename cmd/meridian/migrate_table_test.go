package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"meridian/cluster/migrate"
	"meridian/cluster/migrate/table"
)

// Who ends a command while it waits for a table has interrupted it, and the database has not failed.
func TestTableInterrupted(t *testing.T) {
	var exit *exitError
	if err := tableError(fmt.Errorf("reading: %w", context.Canceled)); !errors.As(err, &exit) || exit.code != exitInterrupted {
		t.Errorf("%v", err)
	}
}

// What decides about the order of the keys is part of what makes a run the one that it is.
func TestTableHeader(t *testing.T) {
	f := &migrateRun{}
	f.table.spec.Table = "keys"
	h := f.tableHeader("postgres://host/db keys", "text in collation C", &openedWay{name: "native", options: map[string]string{"map": "* => *"}})
	if h.Options["order of keys"] != "text in collation C" || h.Options["map"] != "* => *" || !ofTable(h) {
		t.Errorf("%+v", h)
	}
}

// Whoever names another table to verify than the journal has is told, and gets no answer about the journal's.
func TestTableOfAJournal(t *testing.T) {
	ran := tableFlags{spec: table.Spec{Table: "keys", Key: "id", Blob: "wrapped", Where: "id > 1"}}
	h := migrate.Header{Input: "keys of db", Options: ran.options()}
	want := table.Spec{Table: "keys", Key: "id", Blob: "wrapped"} // what was moved decides, and no condition
	for _, given := range []table.Spec{{}, ran.spec, {Blob: "wrapped"}} {
		f := tableFlags{spec: given}
		if err := f.fromHeader(h); err != nil || f.spec != want {
			t.Errorf("%+v: %+v, %v", given, f.spec, err)
		}
	}
	for says, given := range map[string]table.Spec{
		`--table: the run had --table "keys"`:      {Table: "other"},
		`--key: the run had --key "id"`:            {Key: "name"},
		`--column: the run had --column "wrapped"`: {Table: "keys", Blob: "name"},
		"--context-column: the run had none":       {Context: "sealed_in"},
		"--to-column: the run had none":            {To: "target"},
		`--where: the run had --where "id > 1"`:    {Where: "id > 2"},
	} {
		f := tableFlags{db: "env://DB", spec: given}
		_, err := f.ofRun(t.Context(), h)
		if exitOf(err) != exitUsage || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %s", given, err, says)
		}
	}
}
