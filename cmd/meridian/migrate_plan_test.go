package main

import (
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// Rows of which a plan has tried nothing are not among those to move, and are told as what they are.
func TestPlanTableTellsOthers(t *testing.T) {
	v := planView{Way: migrate.WayNative, Plan: migrate.Plan{
		Rows: 60_000, Kept: 1, Failing: 9_999, Others: 50_000, Groups: []migrate.Group{{Source: "a", Rows: 9_999, Problem: "gone"}},
	}}
	var text strings.Builder
	v.table(&text)
	for _, want := range []string{
		"rows 60 000: to move 0, kept 1, would fail 9 999, not tried 50 000; the native way\n",
		"\nothers               50 000                      not tried: 1 groups are told apart, and these rows are of others\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s\nlacks %q", text.String(), want)
		}
	}
	v.Others, v.Kept = 0, 50_001
	text.Reset()
	if v.table(&text); strings.Contains(text.String(), "others") || strings.Contains(text.String(), "not tried") {
		t.Errorf("without others:\n%s", text.String())
	}
}
