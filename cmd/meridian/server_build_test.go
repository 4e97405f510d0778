package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestUnlockedKeyMemoryIsReported(t *testing.T) {
	for name, tt := range map[string]struct {
		locked bool
		err    error
		want   string
	}{
		"locked":     {locked: true},
		"not locked": {want: "LimitMEMLOCK"},
		"no memory":  {err: errors.New("out of pages"), want: "out of pages"},
	} {
		var out bytes.Buffer
		s := &server{log: newLogger(&out, "json", slog.LevelWarn)}
		s.warnUnlocked(tt.locked, tt.err)
		text := out.String()
		if tt.want == "" && text != "" || !strings.Contains(text, tt.want) || tt.want != "" && !strings.Contains(text, "key_memory_unlocked") {
			t.Errorf("%s: the log says %q, want %q", name, text, tt.want)
		}
	}
}

// TestStartReportsKeyMemory wants what the system allows in the log of a start.
func TestStartReportsKeyMemory(t *testing.T) {
	t.Parallel()
	locked, err := keyMemoryLocked()
	if err != nil {
		t.Fatal(err)
	}
	r := startRegions(t, 1, 1)
	node := r.layout.Regions[0].Nodes[0]
	warned := 0
	for _, event := range logEvents(t, node) {
		if event == "key_memory_unlocked" {
			warned++
		}
	}
	if want := map[bool]int{true: 0, false: 1}[locked]; warned != want {
		t.Errorf("memory is locked: %v; warned %d times, want %d", locked, warned, want)
	}
}
