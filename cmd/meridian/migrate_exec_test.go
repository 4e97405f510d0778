package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The program that docs/migrate.md shows moves the rows of a folder, through the command line and between two regions.
func TestProgramOfTheDocs(t *testing.T) {
	if !oneByOne {
		t.Skip("one process after the other")
	}
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
	lists := map[string]string{"before": filepath.Join(folder, "before.jsonl"), "after": filepath.Join(folder, "after.jsonl")}
	list := func(when string) {
		t.Helper()
		read := exec.Command(program, "read")
		read.Env = append(os.Environ(), "ROWS="+rows)
		out, err := read.Output()
		must(errors.Join(err, os.WriteFile(lists[when], out, 0o600)))
	}
	list("before")
	for range 2 { // the second does nothing
		if out, err := run("run", "--journal", journal); err != nil || !strings.Contains(out, "rows 5: moved 5, kept 0, failed 0, in the plaintext way; done\n") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	list("after")
	if out, err := exec.Command(binary, "migrate", "verify", lists["before"], "--out", lists["after"], "--regions", d.readyFile, "--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID).CombinedOutput(); err != nil || string(out) != "rows 5: moved 5, compared 5, equal 5\n" {
		t.Errorf("verify: %v: %s", err, out)
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
	// A row with the id of another one fails.
	must(os.WriteFile(filepath.Join(rows, "twice.json"), fmt.Appendf(nil, `{"id":"row-3","ciphertext":"%s"}`+"\n", wants["row-3"]), 0o600))
	if out, err := run("run", "--journal", journal+"3", "--compare-ids", "5"); err == nil || !strings.Contains(out, "row-3 DuplicateID: ") || strings.Contains(out, "not compared") {
		t.Errorf("an id twice: %v: %s", err, out)
	}
	if out, err := run("run", "--journal", journal+"4", "--compare-ids", "2"); err == nil || !strings.Contains(out, "4 ids were not compared with each other") {
		t.Errorf("ids that are not compared: %v: %s", err, out)
	}
	must(os.Remove(filepath.Join(rows, "twice.json")))
	// A line that is cut off, as a mover leaves it that is killed, is none.
	before, err := os.ReadFile(filepath.Join(rows, "row-1.json"))
	must(err)
	cut := exec.Command(program, "write")
	cut.Env = append(os.Environ(), "ROWS="+rows)
	cut.Stdin = strings.NewReader(`{"id":"row-0","status":"cut"}` + "\n" + `{"id":"row-1","status":"cut"`)
	if out, err := cut.Output(); err != nil || string(out) != "row-0\n" {
		t.Errorf("a line that is cut off: %q, %v", out, err)
	}
	if after, err := os.ReadFile(filepath.Join(rows, "row-1.json")); err != nil || string(after) != string(before) {
		t.Errorf("a line that is cut off was written: %s, %v", after, err)
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

// A second Ctrl-C ends a run at once, and with it the programs that it has started, whatever they do.
func TestSecondInterruptKillsPrograms(t *testing.T) {
	d := startDev(t, "--regions", "2")
	ready := d.ready()
	var made struct{ CiphertextBlob string }
	if _, err := d.client(ready.Regions[0]).Do(t.Context(), "GenerateDataKey", map[string]string{"KeyId": "alias/demo"}, &made); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "program")
	script := fmt.Sprintf(`#!/bin/sh
case $1 in
read)
	trap ': >%[1]s/asked' TERM
	echo '{"id":"1","ciphertext":"%[2]s"}'
	while [ -e %[1]s/program ]; do sleep 0.1; done
	;;
write)
	trap '' TERM
	read -r row
	: >%[1]s/given
	while [ -e %[1]s/program ]; do sleep 0.1; done
	;;
esac
`, folder, made.CiphertextBlob)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, "migrate", "run", "--exec", program, "--journal", filepath.Join(folder, "journal"), "--regions", d.readyFile,
		"--from", ready.Regions[0].ID, "--to", ready.Regions[1].ID, "--way", "plaintext", "--allow-plaintext")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	is := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(folder, name)); return err == nil }
	}
	if !eventually(is("given")) {
		t.Fatal("no row came to the program")
	}
	for signals := 0; ; signals++ {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			break // it has ended
		}
		if signals == 0 && !eventually(is("asked")) {
			t.Error("the program was not asked to end")
		}
		time.Sleep(10 * time.Millisecond)
	}
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", err)
	}
	if !eventually(func() bool { return len(processesWith(folder)) == 0 }) {
		t.Errorf("processes %v are left", processesWith(folder))
	}
}
