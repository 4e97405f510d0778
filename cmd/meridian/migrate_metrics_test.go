package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meridian/cluster/migrate"
)

// Metrics that cannot be written any more are told once, and do not stop the run.
func TestMetricsFileIsLost(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "metrics")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "run.prom")
	f := metricsFlag{path: path}
	var said bytes.Buffer
	before := 0
	cfg := migrate.Config{Progress: func(migrate.Checkpoint) { before++ }}
	m, err := f.start(&printer{err: &said}, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Progress(migrate.Checkpoint{Counts: migrate.Counts{Moved: 7, Failed: 1}, Output: 99})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`meridian_migrate_rows{outcome="moved"} 7`, `meridian_migrate_rows{outcome="failed"} 1`, "meridian_migrate_output_bytes 99", "meridian_migrate_done 0"} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cfg.Progress(migrate.Checkpoint{})
	}
	m.end(migrate.Checkpoint{Done: true})
	if before != 4 || strings.Count(said.String(), "warning: metrics: ") != 1 {
		t.Errorf("%d checkpoints were told of, and it said %q", before, said.String())
	}
}
