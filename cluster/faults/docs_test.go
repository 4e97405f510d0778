//go:build faults

package faults

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

const docsFile = "../../docs/faults.md"

var rewrite = flag.Bool("faults.docs", false, "write the table of docs/faults.md anew, with the results in -faults.results")

// The table stands between these lines.
const (
	tableBegin = "<!-- table: written by TestDocs -->\n"
	tableEnd   = "<!-- end of the table -->\n"
)

// TestDocs compares the scenarios with the table in docs/faults.md, or writes
// that anew.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		last, err := lastResults()
		if err != nil {
			t.Fatal(err)
		}
		before, rest, begins := strings.Cut(string(text), tableBegin)
		_, after, ends := strings.Cut(rest, tableEnd)
		if !begins || !ends {
			t.Fatalf("%s has no place for the table", docsFile)
		}
		text = []byte(before + tableBegin + table(last) + tableEnd + after)
		if err := os.WriteFile(docsFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range tabled() {
		if row := s.row(); !strings.Contains(string(text), row) {
			t.Errorf("%s has no row that begins\n%s", docsFile, row)
		}
	}
}

// tabled are all rows of the table.
func tabled() []scenario { return append(slices.Clone(scenarios), clockSteps) }

func (s scenario) row() string { return "| " + s.name + " | " + s.fault + " | " + s.pass + " |" }

// lastResults are the newest results of each scenario, by its name.
func lastResults() (map[string]result, error) {
	f, err := os.Open(*results)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	last := map[string]result{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		last[r.Scenario] = r
	}
	return last, lines.Err()
}

func table(last map[string]result) string {
	var b strings.Builder
	b.WriteString("| scenario | fault | passes when | last result |\n| --- | --- | --- | --- |\n")
	var sum result
	for _, s := range tabled() {
		r, ok := last[s.name]
		fmt.Fprintf(&b, "%s %s |\n", s.row(), r.text(ok))
		sum.Requests += r.Requests
		sum.Writes += r.Writes
		sum.Overlapped += r.Overlapped
		sum.Trials += r.Trials
		sum.Bounded += r.Bounded
		sum.Ordered += r.Ordered
		sum.Contended += r.Contended
		sum.Stale += r.Stale
	}
	fmt.Fprintf(&b, "\nIn all: %d requests, of which %d were answered while a fault lasted; %d writes acknowledged; **%d trials** of what was acknowledged, %d reads of counters, %d answers with an index, %d writes that competed; **%d stale**.\n",
		sum.Requests, sum.Overlapped, sum.Writes, sum.Trials, sum.Bounded, sum.Ordered, sum.Contended, sum.Stale)
	return b.String()
}

// text is a result for people.
func (r result) text(ran bool) string {
	if !ran {
		return "not run"
	}
	verdict := "**failed**"
	if r.Passed {
		verdict = "passed"
	}
	parts := []string{fmt.Sprintf("%s, seed %d: %d rounds, %d answers meanwhile, %d trials, %d stale", verdict, r.Seed, r.Rounds, r.Overlapped, r.Trials, r.Stale)}
	for _, name := range slices.Sorted(maps.Keys(r.Numbers)) {
		parts = append(parts, name+" "+r.Numbers[name])
	}
	return strings.Join(parts, "; ")
}
