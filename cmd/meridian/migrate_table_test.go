package main

import "testing"

// What decides about the order of the keys is part of what makes a run the one that it is.
func TestTableHeader(t *testing.T) {
	f := &migrateRun{}
	f.table.spec.Table = "keys"
	h := f.tableHeader("postgres://host/db keys", "text in collation C", &openedWay{name: "native", options: map[string]string{"map": "* => *"}})
	if h.Options["order of keys"] != "text in collation C" || h.Options["map"] != "* => *" || !ofTable(h) {
		t.Errorf("%+v", h)
	}
}
