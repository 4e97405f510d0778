package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/crypto"
)

func mustContext(t *testing.T, text string) crypto.Context {
	t.Helper()
	c, err := crypto.ParseContext([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Context rules set and remove names, and leave the others.
func TestContextRules(t *testing.T) {
	for _, c := range []struct{ rules, from, want string }{
		{"app=pay", "", `{"app":"pay"}`},
		{"app=pay", `{"app":"old","row":"1"}`, `{"app":"pay","row":"1"}`},
		{"app", `{"app":"old","row":"1"}`, `{"row":"1"}`},
		{"app", `{"app":"old"}`, ``},
		{"app=", `{"app":"old"}`, `{"app":""}`},
		{"app=a=b", ``, `{"app":"a=b"}`},
		{"none|app=x", `{"row":"1"}`, `{"row":"1","app":"x"}`},
	} {
		rules, err := ParseContextRules(strings.Split(c.rules, "|"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := rules.Map(mustContext(t, c.from))
		if err != nil || !got.Equal(mustContext(t, c.want)) {
			t.Errorf("%s of %s is %v, %v; want %s", c.rules, c.from, got.Pairs(), err, c.want)
		}
	}
	for _, bad := range [][]string{{"=x"}, {""}, {"a=1", "a=2"}, {"a", "a=1"}, {"a=\xff"}} {
		if _, err := ParseContextRules(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// A context that a rule makes too long is a fault of the row; one byte less is none.
func TestMappedContextIsLimited(t *testing.T) {
	room := crypto.MaxContextBytes - len(`{"a":"","b":"x"}`)
	for extra, fails := range map[int]bool{0: false, 1: true} {
		rules, err := ParseContextRules([]string{"a=" + strings.Repeat("v", room+extra)})
		if err != nil {
			t.Fatal(err)
		}
		row := &Row{Context: mustContext(t, `{"b":"x"}`)}
		Rules{Contexts: rules}.Apply(row)
		if (row.Fault != nil) != fails || fails && row.Fault.Code != FaultContext {
			t.Errorf("%d bytes too long: %v", extra, row.Fault)
		}
	}
}

// Contexts are carried, named by the row or made by a rule; the output names the context in which the new blob opens.
func TestRowsGetNewContexts(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	input := strings.Join([]string{
		from.row(t, "data key 0", `{"app":"pay","row":"0"}`),
		strings.Replace(from.row(t, "data key 1", `{"app":"pay"}`), "{", `{"context_to":{"own":"<1>"},`, 1),
		strings.Replace(from.row(t, "data key 2", `{"app":"pay"}`), "{", `{"context_to":{},`, 1),
		strings.Replace(from.row(t, "data key 3", ``), `,"context":null`, ``, 1),
		strings.Replace(from.row(t, "data key 4", `{"a":"b"}`), "{", `{"context_to":null,`, 1),
		strings.Replace(from.row(t, "data key 5", ``), "{", `{"context_to":7,`, 1),
		to.row(t, "moved before", `{"app":"old"}`),
		to.row(t, "moved before", `{"moved":"yes"}`),
	}, "\n") + "\n"
	cfg := testConfig(t, t.TempDir(), []byte(input), newTestWay(t, from, to))
	var err error
	if cfg.Rules.Contexts, err = ParseContextRules([]string{"app", "moved=yes"}); err != nil {
		t.Fatal(err)
	}
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts != (Counts{Moved: 5, Kept: 1, Failed: 2}) {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err := os.ReadFile(filepath.Join(filepath.Dir(cfg.Journal), "out"))
	if err != nil {
		t.Fatal(err)
	}
	wants := []string{`{"moved":"yes","row":"0"}`, `{"own":"<1>"}`, `{}`, `{"moved":"yes"}`, `{"a":"b","moved":"yes"}`, `null`, `{"app":"old"}`, `{"moved":"yes"}`}
	for i, line := range bytes.Split(bytes.TrimSpace(output), []byte("\n")) {
		var row struct {
			Ciphertext []byte
			Context    json.RawMessage
			Status     Status
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if string(row.Context) != wants[i] {
			t.Errorf("row %d has context %s, want %s", i, row.Context, wants[i])
		}
		if row.Status != Moved {
			continue
		}
		blob, err := crypto.ParseBlob(row.Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := blob.Open(nil, to.xaes, mustContext(t, string(row.Context))); err != nil || string(got) != "data key "+string(rune('0'+i)) {
			t.Errorf("row %d opens in it as %q, %v", i, got, err)
		}
	}
}

// A row that is sealed under the destination's key already, but in another context than it is to have, is not kept as if it
// were done, whichever way it would go.
func TestKeptRowsInOtherContexts(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	input := strings.Join([]string{
		to.row(t, "as it is to be", `{"app":"pay"}`),
		strings.Replace(to.row(t, "by the row", `{"app":"pay"}`), "{", `{"context_to":{"app":"other"},`, 1),
		strings.Replace(to.row(t, "the same", `{"app":"old"}`), "{", `{"context_to":{"app":"old"},`, 1),
		to.row(t, "by the rule", `{"app":"old"}`),
	}, "\n") + "\n"
	rules := Rules{Region: "cn-a"}
	var err error
	if rules.Contexts, err = ParseContextRules([]string{"app=pay"}); err != nil {
		t.Fatal(err)
	}
	for name, way := range map[string]interface {
		Way
		Plan(ctx context.Context, rows Format, each func(Failure) error) (*Plan, error)
	}{"native": newNativeWay(t, from, to), "standard": newTestWay(t, from, to), "plaintext": newPlaintextWay(t, from, to)} {
		cfg := testConfig(t, t.TempDir(), []byte(input), way)
		cfg.Rules = rules
		last, err := Run(t.Context(), cfg)
		if err != nil || last.Counts != (Counts{Kept: 2, Failed: 2}) {
			t.Errorf("%s: %+v, %v", name, last, err)
		}
		_, history, err := ReadJournal(cfg.Journal)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := way.Plan(t.Context(), Ruled{Format: NewJSONLines(strings.NewReader(input), DefaultColumns), Rules: rules}, nil)
		if err != nil || plan.Kept != 2 || plan.Failing != 2 {
			t.Errorf("%s: %+v, %v", name, plan, err)
		}
		for _, failures := range [][]Failure{history.Failures, plan.Failures} {
			if len(failures) != 2 || failures[0].Row != 2 || failures[1].Row != 4 || failures[0].Code != FaultContext || !strings.Contains(failures[1].Reason, "sealed under the destination's key already") {
				t.Errorf("%s: %+v", name, failures)
			}
		}
	}
}

// CSV gets a column for the new context where the input has none.
func TestNewContextsOfCSV(t *testing.T) {
	columns := DefaultColumns
	columns.NewContexts = true
	for input, want := range map[string]string{
		"id,ciphertext\n1,QUFB\n":                                   "id,ciphertext,context,from,status\n1,QkJC,\"{\"\"a\"\":\"\"b\"\"}\",a/k/v,moved\n",
		"id,ciphertext,context\n1,QUFB,\"{\"\"x\"\":\"\"y\"\"}\"\n": "id,ciphertext,context,from,status\n1,QkJC,\"{\"\"a\"\":\"\"b\"\",\"\"x\"\":\"\"y\"\"}\",a/k/v,moved\n",
		"ciphertext,context_to\nQUFB,{}\n":                          "ciphertext,context_to,context,from,status\nQkJC,{},,a/k/v,moved\n",
	} {
		c, err := NewCSV(strings.NewReader(input), ',', columns)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := ParseContextRules([]string{"a=b"})
		if err != nil {
			t.Fatal(err)
		}
		row, err := Ruled{c, Rules{Contexts: rules}}.Next()
		if err != nil || row.Fault != nil {
			t.Fatal(row, err)
		}
		got := string(c.AppendRow(c.Header(), row, &Outcome{Status: Moved, Blob: []byte("BBB"), From: "a/k/v"}))
		if got != want {
			t.Errorf("%q becomes\n%q, want\n%q", input, got, want)
		}
	}
}

// Rows of a key that is to be skipped stay as they are, and no region is asked about them.
func TestSkippedKeys(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	legacy := newCloud(t, "cn-a", 1) // a key of the same region that is gone
	old := legacy.row(t, "old", `{"a":"b"}`)
	input := from.row(t, "data key", "") + "\n" + old + "\n" + "broken\n"
	way := newTestWay(t, from, to)
	cfg := testConfig(t, t.TempDir(), []byte(input), way)
	skip, err := way.from.KeyIDs(t.Context(), []string{strings.ToUpper(legacy.key.String())})
	if err != nil || len(skip) != 1 {
		t.Fatal(skip, err)
	}
	cfg.Rules = Rules{Region: "cn-a", Skip: skip}
	plan, err := way.Plan(t.Context(), Ruled{NewJSONLines(strings.NewReader(input), DefaultColumns), cfg.Rules}, nil)
	if err != nil || plan.Skipped != 1 || plan.Failing != 1 || len(plan.Groups) != 1 {
		t.Errorf("the plan: %+v, %v", plan, err)
	}
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts != (Counts{Moved: 1, Skipped: 1, Failed: 1}) {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err := os.ReadFile(filepath.Join(filepath.Dir(cfg.Journal), "out"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSuffix(old, "}") + `,"from":"cn-a/` + legacy.key.String() + "/" + legacy.version.String() + `","status":"skipped"}`
	if lines := strings.Split(string(output), "\n"); lines[1] != want {
		t.Errorf("it is %s, want %s", lines[1], want)
	}
	ids, err := way.from.KeyIDs(t.Context(), []string{"alias/pay"})
	if err != nil || !ids[from.key.String()] || len(ids) != 1 {
		t.Errorf("an alias is %v, %v", ids, err)
	}
	if _, err := way.from.KeyIDs(t.Context(), []string{"alias/none"}); err == nil {
		t.Error("an alias that is not there is taken")
	}
}

// Where no context can be written, none is changed: the blobs would open for nobody.
func TestNewContextsNeedAPlace(t *testing.T) {
	way := &mirror{batch: 1}
	cfg := testConfig(t, t.TempDir(), testInput(10), way)
	var err error
	if cfg.Rules.Contexts, err = ParseContextRules([]string{"a=b"}); err != nil {
		t.Fatal(err)
	}
	cfg.Medium = struct{ Medium }{cfg.Medium} // one that says nothing of contexts
	if last, err := Run(t.Context(), cfg); !errors.Is(err, ErrNoContexts) || last.Rows != 0 {
		t.Errorf("%+v, %v", last, err)
	}
	if _, err := os.Stat(cfg.Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a run that was refused has a journal: %v", err)
	}
}
