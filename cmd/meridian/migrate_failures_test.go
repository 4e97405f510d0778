package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// journalOf writes the journal of a run, done, in which so many rows have failed.
func journalOf(t *testing.T, failed int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a run.journal")
	j, err := migrate.CreateJournal(path, migrate.Header{Way: migrate.WayNative, Input: "in", Output: "out"})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]migrate.Failure, failed)
	for i := range list {
		list[i] = migrate.Failure{Row: int64(i + 1), Line: int64(i + 2), ID: fmt.Sprint("id", i), Code: "Code", Reason: "a reason"}
	}
	last := migrate.Checkpoint{Rows: int64(failed), Counts: migrate.Counts{Failed: int64(failed)}, Done: true}
	if err := errors.Join(j.Checkpoint(last, migrate.Since{Failures: list}), j.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// migrateSays is what a verb of `meridian migrate` writes.
func migrateSays(t *testing.T, args ...string) string {
	t.Helper()
	c := newMigrateCommand()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs(args)
	if err := c.Execute(); err != nil {
		t.Fatal(args, err)
	}
	return out.String()
}

// Every failed row of a run can be named, and what names fewer says so and tells how.
func TestEveryFailedRowIsNamed(t *testing.T) {
	for _, beyond := range []int{0, 1} {
		failed := migrate.MaxListed + beyond
		journal := journalOf(t, failed)
		cut := ""
		if beyond > 0 {
			cut = fmt.Sprint(beyond)
		}
		for list, args := range map[string][]string{"failures": {"status", journal}, "failed": {"report", journal, "--failures", fmt.Sprint(migrate.MaxListed)}} {
			var v map[string]json.RawMessage
			if err := json.Unmarshal([]byte(migrateSays(t, append(args, "--output", "json")...)), &v); err != nil {
				t.Fatal(err)
			}
			if got := string(v[list+"_cut"]); got != cut {
				t.Errorf("%d failed: %s_cut is %q, want %q", failed, list, got, cut)
			}
		}
		short := migrateSays(t, "status", journal)
		advice := fmt.Sprintf("and %s more: meridian migrate status '%s' --list-failed\n", grouped(uint64(failed-shownFailures)), journal)
		if !strings.HasSuffix(short, "line 21 id19 Code: a reason\n"+advice) {
			t.Errorf("%d failed:\n%s\nwant at its end\n%s", failed, short, advice)
		}

		lines := strings.Split(strings.TrimSuffix(migrateSays(t, "status", journal, "--list-failed"), "\n"), "\n")
		if len(lines) != failed+1 || !strings.HasPrefix(lines[failed], "rows ") {
			t.Fatalf("%d lines, the last %q", len(lines), lines[len(lines)-1])
		}
		for i, line := range lines[:failed] {
			if want := fmt.Sprintf("line %d id%d Code: a reason", i+2, i); line != want {
				t.Fatalf("%q, want %q", line, want)
			}
		}

		objects := json.NewDecoder(strings.NewReader(migrateSays(t, "status", journal, "--list-failed", "--output", "jsonl")))
		for i := range failed {
			var f migrate.Failure
			if err := objects.Decode(&f); err != nil || f != (migrate.Failure{Row: int64(i + 1), Line: int64(i + 2), ID: fmt.Sprint("id", i), Code: "Code", Reason: "a reason"}) {
				t.Fatalf("object %d is %+v, %v", i, f, err)
			}
		}
		var v migrateView
		if err := objects.Decode(&v); err != nil || v.Failed != int64(failed) || len(v.Failures) != 0 || v.Cut != 0 || objects.More() {
			t.Errorf("behind them is %+v, %v", v, err)
		}
	}
}

// full is a place with no room.
type full struct{}

var errFull = errors.New("no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

// A list that cannot be written is no journal that cannot be read.
func TestFailedRowsThatCannotBeWritten(t *testing.T) {
	for _, failed := range []int{1, 10_000} { // fewer than a buffer has, and more
		for _, format := range []string{"table", "jsonl"} {
			s := &failureStream{out: bufio.NewWriter(full{}), json: format == "jsonl"}
			if err := writeStatus(&printer{outputFlags: outputFlags{format: format}, out: full{}}, journalOf(t, failed), s); !errors.Is(err, errFull) || errors.As(err, new(*exitError)) {
				t.Errorf("%d rows, %s: %v", failed, format, err)
			}
		}
	}
}

// Where rows are one object, they cannot be written one by one.
func TestListFailedIsNoObject(t *testing.T) {
	for _, format := range []string{"json", "yaml"} {
		c := newMigrateCommand()
		c.SetOut(&bytes.Buffer{})
		c.SetErr(&bytes.Buffer{})
		c.SetArgs([]string{"status", journalOf(t, 1), "--list-failed", "--output", format})
		var exit *exitError
		if err := c.Execute(); !errors.As(err, &exit) || exit.code != exitUsage {
			t.Errorf("%s: %v", format, err)
		}
	}
}
