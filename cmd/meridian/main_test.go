package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// binary is the meridian executable that tests run, built once.
var binary string

func TestMain(m *testing.M) {
	syscall.Umask(0o077) // as main does
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "meridian-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "bin", "meridian")
	build := exec.Command("go", append(append([]string{"build"}, buildFlags...), "-o", binary, ".")...)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building meridian: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// TestScripts runs every script below testdata/script as a user could type it.
// Each has a folder of its own for files, home and runtime files, and the
// binary first in its PATH.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			runtime := filepath.Join(e.WorkDir, "run")
			if err := os.Mkdir(runtime, 0o700); err != nil {
				return err
			}
			e.Setenv("PATH", filepath.Dir(binary)+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("XDG_RUNTIME_DIR", runtime)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		// What a user types is one process after the other: nothing that could race, and slow to find that out.
		Condition: func(name string) (bool, error) {
			if name != "race" {
				return false, fmt.Errorf("there is no condition %q", name)
			}
			return len(buildFlags) > 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"waitfile": waitFile,
			"exits":    exits,
			"gone":     gone,
			"signed":   signedBy,
			"wrap":     wrapMaterial,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// waitFile waits until a file is there: waitfile FILE.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfile FILE")
	}
	if !eventually(func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return err == nil }) {
		ts.Fatalf("%s did not appear", args[0])
	}
}

// exits runs a program and wants an exit code: exits CODE PROGRAM ARGUMENT...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if exit, ok := err.(*exec.ExitError); ok {
		code = fmt.Sprint(exit.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("%s ended with exit code %s, want %s", strings.Join(args[1:], " "), code, args[0])
	}
}

// gone waits until no process has a text in its command line: gone TEXT.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone TEXT")
	}
	if !eventually(func() bool { return len(processesWith(args[0])) == 0 }) {
		ts.Fatalf("processes %v are left", processesWith(args[0]))
	}
}
