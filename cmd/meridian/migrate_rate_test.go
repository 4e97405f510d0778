package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
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

// Where nobody sees bars a line tells of the progress, not with each checkpoint.
func TestPlainProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		cfg := &migrate.Config{}
		input := &rowInput{size: 1000}
		bar := startMigrateBar(&printer{err: &said}, input, cfg)
		for range 25 { // seconds
			time.Sleep(time.Second)
			input.read.Add(10)
			cfg.Progress(migrate.Checkpoint{Rows: input.read.Load() * 2, Counts: migrate.Counts{Failed: 3}})
		}
		bar.stop()
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		if len(lines) != 2 || lines[1] != "rows 400, 20 % of the input, 20/s, 1m20s left, failed 3, throttled 0" {
			t.Errorf("%q", lines)
		}
	})
	var said bytes.Buffer
	cfg := &migrate.Config{}
	for _, p := range []*printer{{outputFlags: outputFlags{quiet: true}, err: &said}, {outputFlags: outputFlags{noProgress: true}, err: &said}} {
		if startMigrateBar(p, &rowInput{}, cfg); cfg.Progress != nil {
			t.Error("somebody is told who does not want to be")
		}
	}
}

// A table has rows in the place of bytes.
func TestProgressOfATable(t *testing.T) {
	input := &rowInput{}
	input.countRows(200)
	if input.at(50) != 50 || input.at(300) != 200 {
		t.Errorf("at %d", input.read.Load())
	}
	input.at(50)
	if line := progressLine(input, migrate.Checkpoint{Rows: 50}, nil, &migrateRate{}); !strings.HasPrefix(line, "rows 50, 25 % of the input") {
		t.Error(line)
	}
	input.countRows(-1) // the database does not know
	if line := progressLine(input, migrate.Checkpoint{Rows: 50}, nil, &migrateRate{}); strings.Contains(line, "%") {
		t.Error(line)
	}
}

// How many rows a sample has follows from how many were moved.
func TestChanceOfASample(t *testing.T) {
	if sampleOf(migrate.WayStandard, 0) != 1000 || sampleOf(migrate.WayStandard, 7) != 7 || sampleOf(migrate.WayNative, 0) != 0 {
		t.Error("the sample is another one")
	}
	journal := filepath.Join(t.TempDir(), "journal")
	f := &migrateRun{journal: journal}
	if _, err := f.chance(10, false); err == nil {
		t.Error("without a journal")
	}
	j, err := migrate.CreateJournal(journal, migrate.Header{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Start(migrate.Start{}), j.Checkpoint(migrate.Checkpoint{Rows: 50, Counts: migrate.Counts{Moved: 40, Kept: 10}}, migrate.Since{}), j.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sample int64
		all    bool
		want   float64
	}{{10, false, 0.25}, {10, true, 1}, {0, false, 1}, {41, false, 1}} {
		if got, err := f.chance(c.sample, c.all); err != nil || got != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}
