package migrate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A report tells what came of the rows of each key, and how the output stands to the run that wrote it.
func TestReport(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	var rows []string
	for i := range 3 {
		rows = append(rows, from.row(t, fmt.Sprint("data key ", i), ""))
	}
	rows = append(rows, `{"id":"a|b\u001b*","ciphertext":"AAAA"}`, "broken", "broken")
	folder := t.TempDir()
	way := newTestWay(t, from, to)
	cfg := testConfig(t, folder, []byte(strings.Join(rows, "\n")+"\n"), way)
	cfg.Regions, cfg.Tool = []*Region{way.from, way.to}, "1.2.3"
	output := filepath.Join(folder, "out")
	cfg.Header.Way, cfg.Header.From, cfg.Header.To, cfg.Header.Output = WayStandard, "cn-a", "cn-b", output
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	report := func() Report {
		header, h, err := ReadJournal(cfg.Journal)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReport(t.Context(), cfg.Journal, header, h, 2)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := report()
	if !r.Done || r.Plaintext || r.Rows != 6 || r.Counts != (Counts{Moved: 3, Failed: 3}) || r.Began.IsZero() || r.Ended.Before(r.Began) || len(r.Starts) != 1 {
		t.Errorf("%+v", r)
	}
	if len(r.Sources) != 2 || r.Sources[0].Failed != 3 || r.Sources[1].Key != from.key.String() || r.Sources[1].Version != from.version.String() || r.Sources[1].Moved != 3 {
		t.Errorf("sources %+v", r.Sources)
	}
	if len(r.Targets) != 1 || r.Targets[0].Region != "cn-b" || r.Targets[0].Key != to.key.String() || r.Targets[0].Moved != 3 {
		t.Errorf("targets %+v", r.Targets)
	}
	if len(r.Codes) != 2 || r.Codes[0] != (CodeCount{FaultSyntax, 2}) || len(r.Failures) != 2 {
		t.Errorf("failures %+v, %+v", r.Codes, r.Failures)
	}
	if r.Output.Problem != "" || len(r.Output.Digest) != 64 || len(r.Input.Digest) != 64 || r.Output.Bytes == 0 {
		t.Errorf("files %+v, %+v", r.Input, r.Output)
	}
	calls := int64(0)
	for _, n := range from.calls {
		calls += int64(n)
	}
	if len(r.Traffic) != 2 || r.Traffic[0].Calls != calls {
		t.Errorf("traffic %+v, want %d calls", r.Traffic, calls)
	}
	var page strings.Builder
	if err := r.Markdown(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Data keys moved from cn-a to cn-b\n", "| plaintext outside | no: ", "| moved | 3 |", "| cn-a | " + from.key.String() + " | " + from.version.String() + " | 3 | 0 | 0 | 0 |\n",
		"| cn-b | " + to.key.String() + " | " + to.version.String() + " | 3 |\n", "| Syntax | 2 |\n", `| 4 | 4 | a\|b \* | InvalidParameter | `, "\nAnd 1 more, which `meridian migrate status --list-failed` names.\n", "| output | " + output + ", ",
		"| 1.2.3 | 4 | cn-a r to r, cn-b r to r |\n", "It is not signed",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, page.String())
		}
	}
	if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), `"plaintext_outside":false`) {
		t.Errorf("%s, %v", text, err)
	}
	if err := os.Truncate(output, r.Output.Bytes-1); err != nil {
		t.Fatal(err)
	}
	if again := report(); !strings.Contains(again.Output.Problem, "it was changed") || again.Output.Digest == r.Output.Digest {
		t.Errorf("a cut output: %+v", again.Output)
	}
	if err := os.Remove(output); err != nil {
		t.Fatal(err)
	}
	if again := report(); again.Output.Problem != "it is not there" {
		t.Errorf("no output: %+v", again.Output)
	}
}

// A report of the plaintext way says that plaintext was outside, and one of a run without any checkpoint is one.
func TestReportOfPlaintext(t *testing.T) {
	r, err := NewReport(t.Context(), "j", Header{Way: WayPlaintext}, History{}, 10)
	if err != nil || !r.Plaintext || r.Done {
		t.Errorf("%+v, %v", r, err)
	}
	var page strings.Builder
	if err := r.Markdown(&page); err != nil || !strings.Contains(page.String(), "| plaintext outside | yes: ") {
		t.Errorf("%s, %v", page.String(), err)
	}
}

// A report of a run that was taken back says so.
func TestReportOfARollback(t *testing.T) {
	base := t.TempDir()
	writeFiles(t, filepath.Join(base, "keys"), map[string]string{"a.dek": encoded("blob a")})
	cfg, _ := folderConfig(t, base, &marker{})
	cfg.Header.Output = ""
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	check := func(back bool, state string) {
		t.Helper()
		header, h, err := ReadJournal(cfg.Journal)
		if err != nil {
			t.Fatal(err)
		}
		r, err := NewReport(t.Context(), cfg.Journal, header, h, 10)
		if err != nil || r.Begun != back || r.Output.Problem != "" || r.Output.Digest == "" {
			t.Errorf("%+v, %v", r, err)
		}
		var page strings.Builder
		if err := r.Markdown(&page); err != nil || !strings.Contains(page.String(), "| state | "+state+" |") {
			t.Errorf("%s, %v", page.String(), err)
		}
		if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), fmt.Sprintf(`"rolled_back":%v`, back)) {
			t.Errorf("%s, %v", text, err)
		}
	}
	check(false, "done")
	_, f := folderConfig(t, base, nil)
	if _, err := RollBack(t.Context(), UndoFile{Path: UndoPath(cfg.Journal), Input: cfg.Header.Input}, f, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(true, "done, and taken back by a rollback")
}
