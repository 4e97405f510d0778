package main

import (
	"testing"
	"time"

	"meridian/cluster/migrate"
)

// The rate is that of the last seconds: what a run that goes on only compares, and what it did long ago, does not count.
func TestMigrateRate(t *testing.T) {
	var r migrateRate
	began := time.Now()
	point := func(second int, rows, input int64) {
		r.add(began.Add(time.Duration(second)*time.Second), migrate.Checkpoint{Rows: rows}, input)
	}
	point(0, 1_000_000, 50_000) // it goes on here
	if text := r.text(100_000); text != "" {
		t.Errorf("at the beginning: %q", text)
	}
	point(1, 1_012_000, 51_000)
	if text := r.text(100_000); text != "12 000/s, 49s left" {
		t.Error(text)
	}
	if text := r.text(0); text != "12 000/s" {
		t.Errorf("of a table: %q", text)
	}
	for i := range 60 { // a tenth as fast
		point(2+i, 1_012_000+int64(i+1)*1200, 51_000+int64(i+1)*100)
	}
	if text := r.text(100_000); text != "1 200/s, 7m10s left" {
		t.Error(text)
	}
	if len(r.points) > 25 {
		t.Errorf("%d points are kept", len(r.points))
	}
	point(61, 1_012_000+60*1200, 57_000) // at the same moment
	if _, ok := r.rows(); !ok {
		t.Error("nothing is known any more")
	}
}
