package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/crypto"
)

func newTestWay(t *testing.T, from, to *cloud) *Standard {
	t.Helper()
	transport, err := FindTransport(t.Context(), to.region(t), "alias/transport")
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewStandard(from.region(t), to.region(t), transport, mapping)
}

// A mapping may name what can be no key: at the most bytes of a name the region is asked, one past it nobody is.
func TestMappedKeyName(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	transport, err := FindTransport(t.Context(), to.region(t), "alias/transport")
	if err != nil {
		t.Fatal(err)
	}
	for extra, want := range []string{"Forbidden.KeyNotFound", FaultNoTarget} {
		mapping, err := ParseMapping([]string{"* => " + strings.Repeat("k", maxKeyName+extra)})
		if err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(t, t.TempDir(), []byte(from.row(t, "x", "")+"\n"), NewStandard(from.region(t), to.region(t), transport, mapping))
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		_, history, err := ReadJournal(cfg.Journal)
		if err != nil || len(history.Failures) != 1 || history.Failures[0].Code != want {
			t.Errorf("%d bytes: %+v, %v; want %s", maxKeyName+extra, history.Failures, err, want)
		}
	}
}

// Rows go from one region to the other with their contexts; what was moved is kept, and each bad row says what it is.
func TestStandardWay(t *testing.T) {
	from, to := newCloud(t, "cn-a", 3), newCloud(t, "cn-b", 3)
	other := newCloud(t, "cn-c", 1)
	stranger := newCloud(t, "cn-a", 1) // of the same region, with a key that it does not have
	input := strings.Join([]string{
		from.row(t, "data key 1", ""), from.row(t, "data key 2", `{"app":"pay"}`), to.row(t, "moved before", ""), other.row(t, "x", ""), stranger.row(t, "x", ""),
		strings.Replace(from.row(t, "wrong context", `{"a":"b"}`), `"b"`, `"c"`, 1), from.row(t, strings.Repeat("x", 190), ""), from.row(t, strings.Repeat("x", 191), ""),
		strings.Replace(from.row(t, "data key 3", ""), "{", `{"to":"alias/none",`, 1), `{"ciphertext":"AAAA"}`,
		strings.Replace(from.row(t, "x", ""), "{", `{"to":"`+strings.Repeat("k", maxKeyName)+`",`, 1), strings.Replace(from.row(t, "x", ""), "{", `{"to":"`+strings.Repeat("k", maxKeyName+1)+`",`, 1),
	}, "\n") + "\n"
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(input), newTestWay(t, from, to))
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts != (Counts{Moved: 3, Kept: 1, Failed: 8}) {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err := os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	_, history, err := ReadJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{FaultRegion, "Forbidden.KeyNotFound", "InvalidParameter", FaultTooLarge, "Forbidden.KeyNotFound", "InvalidParameter", "Forbidden.KeyNotFound", FaultNoTarget} {
		if f := history.Failures[i]; f.Code != want || f.Reason == "" {
			t.Errorf("failure %d: %+v, want %s", i, f, want)
		}
	}
	for i, line := range bytes.Split(bytes.TrimSpace(output), []byte("\n")) {
		var row struct {
			Ciphertext []byte
			Context    json.RawMessage
			Status     Status
			From       string
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		want, moved := map[int]string{0: "data key 1", 1: "data key 2", 2: "moved before", 6: strings.Repeat("x", 190)}[i]
		if !moved {
			if row.Status != Failed {
				t.Errorf("row %d: %s", i, line)
			}
			continue
		}
		if string(row.Context) == "null" {
			row.Context = nil
		}
		context, err := crypto.ParseContext(row.Context)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := crypto.ParseBlob(row.Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := blob.Open(nil, to.xaes, context); err != nil || string(got) != want {
			t.Errorf("row %d opens as %q, %v", i, got, err)
		}
	}
	// Keys are asked for once, not once a row.
	if from.calls["DescribeKey"] > 4 || to.calls["DescribeKey"] > 8 {
		t.Errorf("%d and %d keys described", from.calls["DescribeKey"], to.calls["DescribeKey"])
	}
}

// Throttling, outages and nodes that are gone are waited out; a refusal of the caller ends the run, with nothing lost.
func TestRegionsAreWaitedFor(t *testing.T) {
	from, to := newCloud(t, "cn-a", 2), newCloud(t, "cn-b", 3)
	way := newTestWay(t, from, to)
	from.refuse = func(action string, call int, _ map[string]string) (int, string) {
		switch {
		case action == "ExportDataKey" && call == 1:
			return 429, "Rejected.Throttling"
		case action == "ExportDataKey" && call <= 3:
			return 503, "ServiceUnavailableTemporary"
		}
		return 0, ""
	}
	to.servers[1].Close() // a node that is gone
	var rows []string
	for i := range 20 {
		rows = append(rows, from.row(t, fmt.Sprint("data key ", i), ""))
	}
	input := strings.Join(rows, "\n") + "\n"
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(input), way)
	cfg.Parallel = 3
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Moved != 20 {
		t.Fatalf("%+v, %v", last, err)
	}
	if way.from.Traffic().Throttled == 0 {
		t.Error("nothing was waited for")
	}
	from.refuse = func(action string, call int, _ map[string]string) (int, string) {
		if action == "ExportDataKey" && call > 40 {
			return 403, "Forbidden.ExportNotAllowed"
		}
		return 0, ""
	}
	cfg = testConfig(t, t.TempDir(), []byte(strings.Repeat(input, 3)), way)
	last, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "Forbidden.ExportNotAllowed") || last.Done || last.Counts.Failed != 0 {
		t.Errorf("%+v, %v", last, err)
	}
}

// A plan says what a run would do, and neither opens nor writes anything.
func TestPlan(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	way := newTestWay(t, from, to)
	input := strings.Join([]string{
		from.row(t, "data key 1", ""), from.row(t, "data key 2", `{"app":"pay"}`), to.row(t, "moved before", ""), newCloud(t, "cn-c", 1).row(t, "x", ""),
		from.row(t, strings.Repeat("x", 191), ""), "broken",
	}, "\n")
	p, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(input), DefaultColumns), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != 6 || p.Kept != 1 || p.Failing != 3 || len(p.Failures) != 3 || len(p.Groups) != 1 {
		t.Fatalf("%+v", p)
	}
	if g := p.Groups[0]; g.Rows != 2 || g.State != "Enabled" || g.Problem != "" || g.Target != to.key.String() || g.Source != from.key.String() || len(g.Names) != 1 {
		t.Errorf("%+v", g)
	}
	for i, want := range []string{FaultRegion, FaultTooLarge, FaultSyntax} {
		if p.Failures[i].Code != want {
			t.Errorf("failure %d: %+v, want %s", i, p.Failures[i], want)
		}
	}
	for _, side := range []*cloud{from, to} {
		side.refuse = func(action string, _ int, form map[string]string) (int, string) {
			if action == "ExportDataKey" || action == "ReEncrypt" {
				if form["DryRun"] != "true" {
					t.Errorf("%s is no dry run", action)
				}
				return 403, "AccessDeniedError"
			}
			return 0, ""
		}
		p, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(input), DefaultColumns), nil)
		side.refuse = nil
		if err != nil || p.Failing != 5 || !strings.Contains(p.Groups[0].Problem, "AccessDeniedError") {
			t.Errorf("%s refuses: %+v, %v", side.id, p, err)
		}
	}
}

// A verification finds the one row whose blob holds another data key, and rows that are not the same.
func TestVerify(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	way := newTestWay(t, from, to)
	var rows []string
	for i := range 20 {
		rows = append(rows, strings.Replace(from.row(t, fmt.Sprint("data key ", i), ""), "{", fmt.Sprintf(`{"id":%d,`, i), 1))
	}
	input := strings.Join(append(rows, "broken"), "\n") + "\n"
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(input), way)
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Moved != 20 {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err := os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	verify := func(output string, chance float64) (*Verification, error) {
		pairs := PairFormats(NewJSONLines(strings.NewReader(input), DefaultColumns), NewJSONLines(strings.NewReader(output), DefaultColumns))
		return way.Verify(t.Context(), pairs, func() bool { return chance == 1 }, 4)
	}
	v, err := verify(string(output), 1)
	if err != nil || v.Rows != 21 || v.Moved != 20 || v.Checked != 20 || v.Equal != 20 || len(v.Failures) != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err := verify(string(output), 0); err != nil || v.Checked != 0 || v.Moved != 20 {
		t.Errorf("none chosen: %+v, %v", v, err)
	}
	lines := strings.SplitAfter(string(output), "\n")
	other := strings.Replace(to.row(t, "another data key", ""), "{", `{"id":7,`, 1)
	lines[7] = other + "\n"
	v, err = verify(strings.Join(lines, ""), 1)
	if err != nil || v.Equal != 19 || len(v.Failures) != 1 || v.Failures[0].Code != FaultDiffers || v.Failures[0].ID != "7" {
		t.Errorf("one differs: %+v, %v", v, err)
	}
	for what, bad := range map[string]string{"a row less": strings.Join(lines[1:], ""), "cut": strings.Join(lines[:5], ""), "exchanged": lines[1] + lines[0] + strings.Join(lines[2:], "")} {
		if _, err := verify(bad, 1); !errors.Is(err, ErrRows) {
			t.Errorf("%s: %v", what, err)
		}
	}
	to.refuse = func(action string, _ int, _ map[string]string) (int, string) {
		if action == "ExportDataKey" {
			return 403, "Forbidden.ExportNotAllowed"
		}
		return 0, ""
	}
	if _, err := verify(string(output), 1); err == nil || !strings.Contains(err.Error(), "Forbidden.ExportNotAllowed") {
		t.Errorf("a region that exports to nobody: %v", err)
	}
}
