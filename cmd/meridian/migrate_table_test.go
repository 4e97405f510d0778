package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
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
