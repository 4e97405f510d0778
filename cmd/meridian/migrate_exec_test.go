package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program that docs/migrate.md shows moves the rows of a folder, through the command line and between two regions.
func TestProgramOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, opened := strings.Cut(string(page), "```sh\n#!/bin/sh\n")
	script, _, closed := strings.Cut(rest, "```\n")
	if !opened || !closed {
		t.Fatal("docs/migrate.md has no program")
	}
	d := startDev(t, "--regions", "2")
	ready := d.ready()
	from, to := d.client(ready.Regions[0]), d.client(ready.Regions[1])
	folder := t.TempDir()
	program, rows, journal := filepath.Join(folder, "program"), filepath.Join(folder, "rows"), filepath.Join(folder, "journal")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700))
	must(os.Mkdir(rows, 0o700))
	wants := map[string]string{}
	for i := range 5 {
		var made struct{ CiphertextBlob, Plaintext string }
		_, err := from.Do(t.Context(), "GenerateDataKey", map[string]string{"KeyId": "alias/demo"}, &made)
		must(err)
		id := fmt.Sprintf("row-%d", i)
		wants[id] = made.Plaintext
		must(os.WriteFile(filepath.Join(rows, id+".json"), fmt.Appendf(nil, `{"id":"%s","ciphertext":"%s"}`+"\n", id, made.CiphertextBlob), 0o600))
	}
	run := func(verb string, args ...string) (string, error) {
		args = append([]string{"migrate", verb, "--exec", program, "--regions", d.readyFile, "--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID, "--allow-plaintext"}, args...)
		c := exec.Command(binary, args...)
		c.Env = append(os.Environ(), "ROWS="+rows)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run("plan"); err != nil || !strings.Contains(out, "rows 5: to move 5,") {
		t.Fatalf("%v: %s", err, out)
	}
	for range 2 { // the second does nothing
		if out, err := run("run", "--journal", journal); err != nil || !strings.Contains(out, "rows 5: moved 5, kept 0, failed 0; done\n") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for id, want := range wants {
		text, err := os.ReadFile(filepath.Join(rows, id+".json"))
		must(err)
		var row struct{ ID, Ciphertext, Status string }
		must(json.Unmarshal(text, &row))
		var opened struct{ Plaintext string }
		if _, err := to.Do(t.Context(), "Decrypt", map[string]string{"CiphertextBlob": row.Ciphertext}, &opened); err != nil || opened.Plaintext != want || row.ID != id || row.Status != "moved" {
			t.Errorf("row %s: %s, %v", id, text, err)
		}
	}
	must(os.Rename(rows, rows+".away"))
	if out, err := run("run", "--journal", journal+"2"); err == nil || !strings.Contains(out, "exit status 1") {
		t.Errorf("a program that fails: %v: %s", err, out)
	}
	for _, args := range [][]string{{}, {"--journal", journal, "--out", "x"}, {"--journal", journal, "keys.jsonl"}, {"--journal", journal, "--format", "csv"}} {
		if out, err := run("run", args...); err == nil || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
