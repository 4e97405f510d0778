package migrate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"meridian/crypto"
)

// identified is a region of which is known what it is.
func (c *cloud) identified(t *testing.T) *Region {
	t.Helper()
	r := c.region(t)
	if err := r.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// aliases is the mapping of who names none.
func aliases(t *testing.T) Mapping {
	t.Helper()
	m, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// foreignWays are the ways that another service can be a side of.
var foreignWays = map[string]func(t *testing.T, from, to *Region) Way{
	"standard": func(t *testing.T, from, to *Region) Way {
		transport, err := FindTransport(t.Context(), to, "alias/transport")
		if err != nil {
			t.Fatal(err)
		}
		return NewStandard(from, to, transport, aliases(t))
	},
	"plaintext": func(t *testing.T, from, to *Region) Way { return NewPlaintext(from, to, aliases(t)) },
}

// movedRow is a row of an output.
type movedRow struct {
	Ciphertext []byte
	From       string
	Status     Status
}

// moveAll moves rows, and returns what came of each, and the history.
func moveAll(t *testing.T, way Way, lines ...string) ([]movedRow, History) {
	t.Helper()
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(strings.Join(lines, "\n")+"\n"), way)
	if _, err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	output, err := os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	_, history, err := ReadJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	var rows []movedRow
	for line := range bytes.Lines(output) {
		var row movedRow
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if len(rows) != len(lines) {
		t.Fatalf("%d rows of %d", len(rows), len(lines))
	}
	return rows, history
}

func named(row, to string) string { return strings.Replace(row, "{", `{"to":"`+to+`",`, 1) }

// From another service, whose ciphertexts nobody else can read, rows go where they name, or where the mapping has the key go
// that the service says they are under.
func TestFromAnotherService(t *testing.T) {
	for name, newWay := range foreignWays {
		for _, from := range []struct {
			name           string
			hinted, mute   bool
			moved          [4]bool // of the rows below
			whyNot         string  // of those of the first four that are not
			source         string  // how much of it the output has
			plannedSources bool
		}{
			{name: "with its key in front", hinted: true, moved: [4]bool{true, true, true, true}, source: "key version", plannedSources: true},
			{name: "opaque", moved: [4]bool{true, true, true, true}, source: "key version"},
			{name: "with its key in front, and silent", hinted: true, mute: true, moved: [4]bool{true, true, true, true}, source: "key", plannedSources: true},
			{name: "opaque, and silent", mute: true, moved: [4]bool{false, true, false, true}, whyNot: FaultNoTarget},
		} {
			t.Run(name+" "+from.name, func(t *testing.T) {
				source, to := newCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
				source.mute, source.foreign = from.mute, "\xffopaque"
				if from.hinted {
					source.foreign = source.key.String()
				}
				stranger := newCloud(t, "cn-a", 1)
				stranger.foreign = stranger.key.String()
				lines := []string{
					source.row(t, "one", ""), named(source.row(t, "two", `{"app":"pay"}`), "alias/pay"),
					source.row(t, "three", `{"app":"pay"}`), named(source.row(t, "four", ""), to.key.String()),
					to.row(t, "moved before", ""),                       // kept
					named(source.row(t, "five", ""), "alias/none"),      // no such key
					stranger.row(t, "six", ""),                          // not of the source
					`{"ciphertext":"AAAA"}`,                             // not of anybody
					named(source.row(t, "x", `{"a":"b"}`), "alias/pay"), // in another context
				}
				lines[8] = strings.Replace(lines[8], `"b"`, `"c"`, 1)
				way := newWay(t, source.identified(t), to.identified(t))

				jsonRows, err := jsonLines(strings.NewReader(strings.Join(lines, "\n") + "\n"))
				if err != nil {
					t.Fatal(err)
				}
				plan, err := way.(interface {
					Plan(context.Context, Format, func(Failure) error) (*Plan, error)
				}).Plan(t.Context(), jsonRows, nil)
				if err != nil || plan.Rows != 9 || plan.Kept != 1 {
					t.Fatalf("the plan is %+v, %v", plan, err)
				}
				var planned string
				for _, g := range plan.Groups {
					if g.Rows > 0 && g.Source != "" {
						planned = g.Source
					}
				}
				if from.plannedSources != (planned == source.key.String()) {
					t.Errorf("the plan has groups of %q", planned)
				}
				if n := source.calls["Encrypt"] + to.calls["Encrypt"] + to.calls["ReEncrypt"]; n > 2*len(plan.Groups) {
					t.Errorf("the plan made %d calls for %d groups", n, len(plan.Groups))
				}

				rows, history := moveAll(t, way, lines...)
				sources := map[string]string{"": "", "key": "cn-a/" + source.key.String(), "key version": "cn-a/" + source.key.String() + "/" + source.version.String()}
				for i, want := range []string{"one", "two", "three", "four"} {
					if !from.moved[i] {
						if rows[i].Status != Failed {
							t.Errorf("row %d is %s", i, rows[i].Status)
						}
						continue
					}
					if rows[i].Status != Moved || i != 1 && i != 3 && rows[i].From != sources[from.source] {
						t.Errorf("row %d is %s from %q", i, rows[i].Status, rows[i].From)
						continue
					}
					in, err := crypto.ParseContext([]byte([]string{"", `{"app":"pay"}`, `{"app":"pay"}`, ""}[i]))
					if err != nil {
						t.Fatal(err)
					}
					blob, err := crypto.ParseBlob(rows[i].Ciphertext)
					if err != nil {
						t.Fatal(err)
					}
					if plaintext, err := blob.Open(nil, to.xaes, in); err != nil || string(plaintext) != want {
						t.Errorf("row %d opens to %q, %v", i, plaintext, err)
					}
				}
				if rows[4].Status != Kept {
					t.Errorf("a row that was moved before is %s", rows[4].Status)
				}
				for _, f := range history.Failures {
					want := map[int64]string{6: "Forbidden.KeyNotFound", 7: "InvalidParameter", 8: "InvalidParameter", 9: "InvalidParameter"}[f.Row]
					if f.Row <= 4 {
						want = from.whyNot
					}
					if f.Code != want {
						t.Errorf("failure %+v, want %q", f, want)
					}
				}
			})
		}
	}
}

// To another service: what it seals has a form of its own, and is known again if it begins with the key.
func TestToAnotherService(t *testing.T) {
	for name, newWay := range foreignWays {
		for _, hinted := range []bool{true, false} {
			from, to := newNativeCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
			if to.foreign = "\xffopaque"; hinted {
				to.foreign = to.key.String()
			}
			way := newWay(t, from.identified(t), to.identified(t))
			rows, history := moveAll(t, way, from.row(t, "one", ""), from.row(t, "two", ""), `{"ciphertext":"AAAA"}`)
			if rows[0].Status != Moved || rows[1].Status != Moved || !bytes.HasPrefix(rows[0].Ciphertext, []byte(to.foreign)) {
				t.Fatalf("%s: %+v", name, rows)
			}
			target := "cn-b/" + to.key.String() + "/" + to.version.String()
			if len(history.Failures) != 1 || history.Failures[0].Code != FaultNoBlob || history.groups.counts[group{"cn-a/" + from.key.String() + "/" + from.version.String(), target}].Moved != 2 {
				t.Errorf("%s: %+v, %+v", name, history.Failures, history.groups.list())
			}
			calls := from.calls["ExportDataKey"] + from.calls["Decrypt"]
			again, _ := moveAll(t, way, `{"ciphertext":"`+base64.StdEncoding.EncodeToString(rows[0].Ciphertext)+`"}`, named(`{"ciphertext":"`+base64.StdEncoding.EncodeToString(rows[1].Ciphertext)+`"}`, "alias/pay"))
			want := map[bool]Status{true: Kept, false: Failed}[hinted]
			if again[0].Status != want || again[1].Status != want {
				t.Errorf("%s, hinted %v: once more %+v", name, hinted, again)
			}
			if from.calls["ExportDataKey"]+from.calls["Decrypt"] != calls {
				t.Errorf("%s: the source was asked for what it cannot open", name)
			}
		}
	}
}

// The rows of a key of another service are left out by the id that their ciphertexts begin with.
func TestSkipKeyOfAnotherService(t *testing.T) {
	from := newCloud(t, "cn-a", 1)
	from.foreign = from.key.String()
	for skip, want := range map[string]bool{from.key.String(): true, crypto.NewKeyID().String(): false} {
		blob, err := from.seal([]byte("x"), crypto.Context{})
		if err != nil {
			t.Fatal(err)
		}
		row := &Row{Blob: blob}
		if (Rules{Region: "cn-a", Skip: map[string]bool{skip: true}}).Apply(row); row.Skip != want {
			t.Errorf("--skip-key %s skips a row of %s: %v", skip, from.key, row.Skip)
		}
		row = &Row{Blob: blob[len(from.foreign):]} // with its header, which names the region
		if (Rules{Region: "cn-b", Skip: map[string]bool{from.key.String(): true}}).Apply(row); row.Skip {
			t.Error("a row of another region is skipped")
		}
	}
}

// A row that another service cannot open says nothing of the next one whose key is as unknown: the plan asks about so many
// one by one, and no more.
func TestPlanOfUnknownKeys(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	from.foreign = "\xffopaque"
	way := foreignWays["standard"](t, from.identified(t), to.identified(t)).(*Standard)
	good := from.row(t, "x", "")
	for _, bad := range []int{maxStrangers, maxStrangers + 1} {
		from.calls["ExportDataKey"] = 0
		lines := append(slices.Repeat([]string{`{"ciphertext":"AAAA"}`}, bad), good, good)
		rows, err := jsonLines(strings.NewReader(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := way.Plan(t.Context(), rows, nil)
		if err != nil || len(plan.Groups) != 1 || len(plan.Failures) != maxStrangers || plan.Failures[0].Code != "InvalidParameter" {
			t.Fatalf("%d bad rows: %+v, %v", bad, plan, err)
		}
		group, failing := plan.Groups[0], int64(bad)
		if bad > maxStrangers { // the last row that was asked about speaks for all others
			failing = int64(len(lines))
		}
		if plan.Failing != failing || (group.Problem == "") != (bad == maxStrangers) || from.calls["ExportDataKey"] != maxStrangers+1 {
			t.Errorf("%d bad rows: %+v, %d calls", bad, plan, from.calls["ExportDataKey"])
		}
	}
}

// What another service says that a ciphertext is under is kept, and so an id that is too long to be one is none.
func TestClaimedIDs(t *testing.T) {
	for extra, want := range []string{"cn-a/" + strings.Repeat("k", maxClaimed) + "/" + strings.Repeat("v", maxClaimed), ""} {
		key, version := strings.Repeat("k", maxClaimed), strings.Repeat("v", maxClaimed)
		if got := claimed("cn-a", key+strings.Repeat("k", extra), version).name(); got != want {
			t.Errorf("a key id of %d bytes: %.40q", maxClaimed+extra, got)
		}
		if got := claimed("cn-a", key, version+strings.Repeat("v", extra)).name(); got != want {
			t.Errorf("a version id of %d bytes: %.40q", maxClaimed+extra, got)
		}
	}
}

// The native way has no other services, and knows that before it was found out what its sides are.
func TestNoOtherServiceInTheNativeWay(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	stranger := newCloud(t, "cn-a", 1)
	stranger.foreign = stranger.key.String()
	rows, history := moveAll(t, newNativeWay(t, from, to), from.row(t, "one", ""), named(`{"ciphertext":"AAAA"}`, "alias/pay"), named(stranger.row(t, "x", ""), "alias/pay"))
	if rows[0].Status != Moved || len(history.Failures) != 2 || history.Failures[0].Code != FaultNoBlob || history.Failures[1].Code != FaultNoBlob {
		t.Errorf("%+v, %+v", rows, history.Failures)
	}
}
