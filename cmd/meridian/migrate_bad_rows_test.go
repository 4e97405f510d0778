package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster/api/client"
	"meridian/cluster/migrate"
)

// badRow is a row that no run can move, and why.
type badRow struct {
	id, blob, context string
	text              string // of the whole row in JSONL and CSV, in the place of the others
	code              string
	says              string // a part of the reason
}

// Every kind of bad row is named with its line and its reason, in both formats and both blind ways, by the plan where that
// can know it; it comes out as it went in, and costs no other row.
func TestEveryBadRow(t *testing.T) {
	if !oneByOne {
		t.Skip("one process after the other")
	}
	d := startDev(t, "--regions", "3")
	ready := d.ready()
	from, to, third := d.client(ready.Regions[0]), d.client(ready.Regions[1]), d.client(ready.Regions[2])
	call := func(c *client.Client, action string, params map[string]string, out any) {
		t.Helper()
		if _, err := c.Do(t.Context(), action, params, out); err != nil {
			t.Fatal(action, err)
		}
	}
	key := func(c *client.Client, params map[string]string) string {
		t.Helper()
		var created struct{ KeyMetadata struct{ KeyId string } }
		call(c, "CreateKey", params, &created)
		return created.KeyMetadata.KeyId
	}
	seal := func(c *client.Client, key, context string, size int) string {
		t.Helper()
		params := map[string]string{"KeyId": key, "Plaintext": base64.StdEncoding.EncodeToString(make([]byte, size))}
		if context != "" {
			params["EncryptionContext"] = context
		}
		var sealed struct{ CiphertextBlob string }
		call(c, "Encrypt", params, &sealed)
		return sealed.CiphertextBlob
	}
	transport := key(to, map[string]string{"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"})
	disabled, pending := key(from, nil), key(from, nil)
	good := seal(from, "alias/demo", `{"a":"b"}`, 32)
	inDisabled, inPending := seal(from, disabled, "", 32), seal(from, pending, "", 32)
	call(from, "DisableKey", map[string]string{"KeyId": disabled}, nil)
	call(from, "ScheduleKeyDeletion", map[string]string{"KeyId": pending, "PendingWindowInDays": "7"}, nil)
	ofDestroyed, err := base64.StdEncoding.DecodeString(good) // a key that is gone is one that the region has never heard of
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, ofDestroyed...)
	damaged[len(damaged)-1] ^= 1
	ofDestroyed[4+len(ready.Regions[0].ID)+3] ^= 1
	bad := []badRow{
		{id: "none", blob: "AAAA", code: migrate.FaultNoBlob, says: "no ciphertext blob"},
		{id: "text", blob: "no Base64", code: migrate.FaultNoBlob, says: "not standard Base64"},
		{id: "damaged", blob: base64.StdEncoding.EncodeToString(damaged), context: `{"a":"b"}`, code: "InvalidParameter"},
		{id: "region", blob: seal(third, "alias/demo", "", 32), code: migrate.FaultRegion, says: ready.Regions[2].ID},
		{id: "context", blob: good, context: `{"a":"c"}`, code: "InvalidParameter"},
		{id: "no object", blob: good, context: `7`, code: migrate.FaultContext},
		{id: "disabled", blob: inDisabled, code: "Rejected.Disabled"},
		{id: "pending", blob: inPending, code: "Rejected.PendingDeletion"},
		{id: "destroyed", blob: base64.StdEncoding.EncodeToString(ofDestroyed), code: "Forbidden.KeyNotFound"},
		{id: "good", blob: good, context: `{"a":"b"}`, code: migrate.FaultDuplicate},
		{id: "large", blob: seal(from, "alias/demo", "", 191), code: migrate.FaultTooLarge, says: "190"}, // in the standard way
		{id: "broken", text: `{"id":"broken"`, code: migrate.FaultSyntax},
		{id: "long", text: `{"note":"` + strings.Repeat("x", 1<<20) + `"}`, code: migrate.FaultSyntax, says: "1048576"},
	}
	for _, format := range []string{"jsonl", "csv"} {
		for _, way := range []string{migrate.WayNative, migrate.WayStandard} {
			t.Run(format+" "+way, func(t *testing.T) {
				var input []string
				add := func(r badRow) {
					context := r.context
					switch {
					case r.text != "":
						input = append(input, r.text)
					case format == "csv":
						input = append(input, fmt.Sprintf(`%s,%s,"%s",alias/demo`, r.id, r.blob, strings.ReplaceAll(context, `"`, `""`)))
					default:
						if context == "" {
							context = "null"
						}
						input = append(input, fmt.Sprintf(`{"id":"%s","ciphertext":"%s","context":%s,"to":"alias/demo"}`, r.id, r.blob, context))
					}
				}
				if format == "csv" {
					input = append(input, "id,ciphertext,context,to")
				}
				add(badRow{id: "good", blob: good, context: `{"a":"b"}`})
				wants := map[int64]badRow{}
				moved := 2
				for _, r := range bad {
					add(r)
					if r.id == "large" && way == migrate.WayNative {
						moved++ // any size that a blob can have
						continue
					}
					wants[int64(len(input))] = r
				}
				add(badRow{id: "last", blob: good, context: `{"a":"b"}`})
				folder := t.TempDir()
				in, out := filepath.Join(folder, "in."+format), filepath.Join(folder, "out."+format)
				if err := os.WriteFile(in, []byte(strings.Join(input, "\n")+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				args := []string{in, "--regions", d.readyFile, "--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID, "--way", way, "--output", "json", "--quiet"}
				if way == migrate.WayStandard {
					args = append(args, "--transport-key", transport)
				}
				var plan, run struct {
					Failing, Moved, Failed int
					Failures               []migrate.Failure
				}
				failing(t, &plan, append([]string{"migrate", "plan"}, args...))
				failing(t, &run, append([]string{"migrate", "run", "--out", out}, args...))
				if run.Moved != moved || run.Failed != len(wants) || len(run.Failures) != len(wants) {
					t.Errorf("moved %d, failed %d, %d named; want %d and %d", run.Moved, run.Failed, len(run.Failures), moved, len(wants))
				}
				for _, f := range run.Failures {
					if r := wants[f.Line]; f.Code != r.code || !strings.Contains(f.Reason, r.says) || f.ID != r.id && r.text == "" {
						t.Errorf("line %d %q: %s: %s; want %q with %s and %q", f.Line, f.ID, f.Code, f.Reason, r.id, r.code, r.says)
					}
				}
				for _, f := range plan.Failures { // it opens nothing, so it cannot know all; what it says is so
					if r := wants[f.Line]; f.Code != r.code {
						t.Errorf("the plan has line %d: %s: %s; want %s", f.Line, f.Code, f.Reason, r.code)
					}
				}
				if plan.Failing < 7 || plan.Failing > len(wants) {
					t.Errorf("the plan has %d rows that would fail", plan.Failing)
				}
				text, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
				if len(lines) != len(input) {
					t.Fatalf("%d lines come out, of %d", len(lines), len(input))
				}
				for line, r := range wants {
					if got := lines[line-1]; r.text != "" && got != r.text || r.text == "" && !strings.Contains(got, `"`+r.blob+`"`) && !strings.Contains(got, ","+r.blob+",") {
						t.Errorf("line %d comes out as %.100s", line, got)
					}
				}
			})
		}
	}
}

// failing runs a verb that says in JSON which rows fail.
func failing(t *testing.T, into any, args []string) {
	t.Helper()
	out, err := exec.Command(binary, args...).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailedRows {
		t.Fatalf("%.200s: %v, want exit code 7: %s", strings.Join(args, " "), err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
