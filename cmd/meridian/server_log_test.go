package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meridian/crypto"
)

type printed struct{}

func (printed) String() string { return "itself" }

// TestLogLines holds lines of ours and of libraries to one form.
func TestLogLines(t *testing.T) {
	tests := []struct {
		name string
		log  func(l *slog.Logger)
		want map[string]any
	}{
		{"with an event", func(l *slog.Logger) { l.Info("It is done.", "event", "done") },
			map[string]any{"msg": "It is done.", "event": "done"}},
		{"with an event for several", func(l *slog.Logger) { l.With("event", "done").Info("It is done.") },
			map[string]any{"msg": "It is done.", "event": "done"}},
		{"of a library", func(l *slog.Logger) { l.Info("raft: election won", "node", printed{}) },
			map[string]any{"msg": "raft: election won", "event": "raft", "about_node": "itself"}},
		{"without an event", func(l *slog.Logger) { l.Info("Disk nearly full: writes are refused") },
			map[string]any{"msg": "Disk nearly full: writes are refused", "event": "disk_nearly_full"}},
		{"a secret", func(l *slog.Logger) { l.Info("oops", "key", crypto.Secret("hunter2")) },
			map[string]any{"msg": "oops", "event": "oops", "key": "[redacted]"}},
		{"a key of every line", func(l *slog.Logger) { l.With("region", "r2").Info("seen") },
			map[string]any{"msg": "seen", "event": "seen", "about_region": "r2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.log(newLogger(&out, "json", slog.LevelInfo, "region", "r1", "node", "n1"))
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, out.String())
			}
			delete(got, "time")
			tt.want["level"], tt.want["region"], tt.want["node"] = "INFO", "r1", "n1"
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogLevelChangesWhileRunning(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	l := newLogger(&out, "text", level)
	l.Info("quiet")
	if out.Len() > 0 {
		t.Errorf("a line below the level: %s", out.String())
	}
	level.Set(slog.LevelInfo)
	l.Info("loud", "took", time.Second)
	if !bytes.Contains(out.Bytes(), []byte("event=loud")) {
		t.Errorf("no line: %q", out.String())
	}
}
