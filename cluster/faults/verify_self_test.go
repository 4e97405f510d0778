//go:build faults

package faults

import (
	"strings"
	"testing"
)

// TestVerifyFindsViolations gives the checker histories that break one promise
// each.
func TestVerifyFindsViolations(t *testing.T) {
	write := func(n, start, end int64, o outcome) op {
		return op{Action: "UpdateKeyDescription", Object: "k", Node: "n1", Value: n, Start: start, End: end, Outcome: o}
	}
	read := func(node string, n, start, end int64) op {
		return op{Action: "DescribeKey", Object: "k", Node: node, Value: n, Start: start, End: end, Outcome: done}
	}
	indexed := func(action, node string, start, end int64, index uint64) op {
		return op{Action: action, Object: "k", Node: node, Start: start, End: end, Outcome: done, Index: index}
	}
	alias := func(action string, start, end int64, o outcome) op {
		return op{Action: action, Object: "alias/contended-1", Start: start, End: end, Outcome: o}
	}
	for _, tt := range []struct {
		name string
		ops  []op
		want string // empty: a good history
	}{
		{"reads within their bounds", []op{write(1, 0, 10, done), read("n2", 1, 5, 6), read("n3", 0, 7, 8), write(2, 11, 30, unknown), read("n2", 1, 40, 41), read("n2", 2, 42, 43)}, ""},
		{"an attempt that was not done", []op{write(1, 0, 3, unavailable), write(1, 4, 10, done), read("n2", 1, 12, 13)}, ""},
		{"older than acknowledged", []op{write(1, 0, 10, done), read("n2", 0, 11, 12)}, "acknowledged before were 1"},
		{"newer than begun", []op{write(1, 0, 10, done), read("n2", 2, 11, 12), write(2, 20, 30, done)}, "begun were 1"},
		{"a node falls back", []op{write(1, 0, 100, done), read("n2", 1, 10, 20), read("n2", 0, 21, 22)}, "fell back from 1"},
		{"two nodes during a write", []op{write(1, 0, 100, done), read("n2", 1, 10, 20), read("n3", 0, 21, 22)}, ""},
		{"index below an acknowledged one", []op{indexed("EnableKey", "n1", 0, 10, 7), indexed("Encrypt", "n2", 11, 12, 6)}, "answered from index 6"},
		{"index of a write under way", []op{indexed("EnableKey", "n1", 0, 10, 7), indexed("Encrypt", "n2", 9, 12, 6)}, ""},
		{"index falls back", []op{indexed("Encrypt", "n2", 0, 2, 7), indexed("Encrypt", "n2", 3, 4, 6)}, "fell back from index 7"},
		{"two winners", []op{alias("CreateAlias", 0, 10, done), alias("CreateAlias", 5, 12, done)}, "not linearizable"},
		{"one winner", []op{alias("CreateAlias", 0, 10, done), alias("CreateAlias", 5, 12, refused), alias("DeleteAlias", 13, 14, done)}, ""},
		{"unknown explains it", []op{alias("CreateAlias", 0, 10, unknown), alias("CreateAlias", 20, 22, refused)}, ""},
		{"a refusal for nothing", []op{alias("CreateAlias", 20, 22, refused)}, "not linearizable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(verify(tt.ops).violations, "\n")
			if tt.want == "" && got != "" || tt.want != "" && !strings.Contains(got, tt.want) {
				t.Errorf("violations %q, want %q", got, tt.want)
			}
		})
	}
}
