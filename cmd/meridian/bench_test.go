package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meridian/cmd/meridian/bench"
)

func TestBenchCases(t *testing.T) {
	var notes []string
	cases, err := benchCases([]string{"Encrypt=3", "GenerateDataKey", "ListKeys=2"}, []int{4096, 32, 32}, func(s string) { notes = append(notes, s) })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cases {
		got = append(got, strings.Join([]string{c.action, strings.Repeat("*", c.weight), grouped(uint64(c.size))}, " "))
	}
	want := []string{"Encrypt *** 32", "Encrypt *** 4 096", "GenerateDataKey * 32", "ListKeys ** 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "1024 bytes at most") {
		t.Errorf("notes %q", notes)
	}
	for _, actions := range [][]string{{"encrypt"}, {"Encrypt=x"}, {"Encrypt", "Encrypt=2"}, {""}} {
		if _, err := benchCases(actions, []int{32}, nil); exitOf(err) != exitUsage {
			t.Errorf("%v: %v", actions, err)
		}
	}
}

// Every action's parameters are complete: none is left out that a case needs.
func TestBenchActionsHaveParameters(t *testing.T) {
	for _, a := range benchActions {
		for name, value := range a.params("alias/k", 16, "YmxvYg==") {
			if name == "" || value == "" {
				t.Errorf("%s: parameter %q is %q", a.name, name, value)
			}
		}
	}
}

// The figures of the report, from two runs of one case.
func TestBenchReportArithmetic(t *testing.T) {
	r := &benchReport{Cases: []caseReport{{Action: "Encrypt", Errors: map[string]int64{}}}}
	for range 2 {
		result := &bench.CaseResult{Errors: map[string]int64{"timeout": 5}}
		for i := 1; i <= 1000; i++ {
			result.Latency.Record(time.Duration(i) * time.Millisecond)
		}
		r.addCase(0, result, 4*time.Second)
	}
	for _, pair := range []roundReport{{30, 20, 1.5}, {40, 20, 2}, {22, 20, 1.1}, {50, 20, 2.5}} {
		r.Cases[0].addRound(pair)
	}
	r.finish()
	c := r.Cases[0]
	if r.Calls != 2010 || r.Failed != 10 || c.Errors["timeout"] != 10 || r.Rate != 250 || c.Rate != 250 || r.Seconds != 8 {
		t.Errorf("%d calls, %d failed, %v/s, %v s", r.Calls, r.Failed, r.Rate, r.Seconds)
	}
	for name, pair := range map[string][2]float64{"p50": {c.P50, 500_000}, "p99": {c.P99, 990_000}, "p99.9": {c.P999, 999_000}, "max": {c.Max, 1_000_000}} {
		if math.Abs(pair[0]-pair[1])/pair[1] > 0.01 {
			t.Errorf("%s is %v µs, want %v", name, pair[0], pair[1])
		}
	}
	want := ceilingReport{Server: 35, Ceiling: 20, Ratio: 1.75, RatioMin: 1.1, RatioMax: 2.5, Rounds: c.Ceiling.Rounds}
	if diff := cmp.Diff(want, *c.Ceiling); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPerCall(t *testing.T) {
	r := &bench.Result{Cases: []bench.CaseResult{{Errors: map[string]int64{"x": 3}}}}
	r.Cases[0].Latency.Record(1)
	if got := perCall(40*time.Microsecond, r); got != 10 {
		t.Errorf("%v µs a call, want 10", got)
	}
	if got := perCall(time.Second, &bench.Result{}); got != 0 {
		t.Errorf("%v µs a call without a call", got)
	}
}
