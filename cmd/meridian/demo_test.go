package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo runs the story as a user does.
func TestDemo(t *testing.T) {
	temp := t.TempDir()
	var out, errOut bytes.Buffer
	demo := exec.Command(binary, "demo")
	demo.Env = append(os.Environ(), "TMPDIR="+temp)
	demo.Stdout, demo.Stderr = &out, &errOut
	if err := demo.Run(); err != nil {
		t.Fatalf("demo: %v\n%s%s", err, out.String(), errOut.String())
	}
	for _, want := range []string{"kill -9", "it is of cn-local-1", "the data is decrypted with it, here, and is the same", "steps are right"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story has no %q:\n%s", want, out.String())
		}
	}
	if errOut.Len() > 0 {
		t.Errorf("errors: %s", errOut.String())
	}
	if left := processesWith(temp); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestDemoInterrupted stops the demo while its servers start.
func TestDemoInterrupted(t *testing.T) {
	temp := t.TempDir()
	demo := exec.Command(binary, "demo")
	demo.Env = append(os.Environ(), "TMPDIR="+temp)
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { return len(processesWith(temp)) > 0 }) {
		t.Error("no server was started")
	}
	if err := demo.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_ = demo.Wait() // its exit code is looked at below
	if code := demo.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if left := processesWith(temp); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
