package migrate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tornRun is a run over rows that ended behind so many of them, and whose output got far more than it had synced: more than
// the other rows will take. It returns the configuration of the next start.
func tornRun(t *testing.T, folder string, input []byte, rows int64) Config {
	t.Helper()
	killed := errors.New("killed")
	cfg := testConfig(t, folder, input, &mirror{batch: 10, before: func(call int64) error {
		if call > rows/10 {
			return killed
		}
		return nil
	}})
	cfg.Parallel = 1
	last, err := Run(t.Context(), cfg)
	if !errors.Is(err, killed) || last.Rows != rows {
		t.Fatalf("%+v, %v", last, err)
	}
	out, err := os.OpenFile(filepath.Join(folder, "out"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = out.WriteString(strings.Repeat("torn\n", 100_000))
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
	return testConfig(t, folder, input, &mirror{batch: 10})
}

// Of an output that is longer than all rows will make it nothing stays behind them.
func TestTornOutputIsCutBack(t *testing.T) {
	input := testInput(300)
	want, _ := undisturbed(t, input)
	for _, rows := range []int64{10, 290} {
		folder := t.TempDir()
		cfg := tornRun(t, folder, input, rows)
		if last, err := Run(t.Context(), cfg); err != nil || last.Output != int64(len(want)) {
			t.Fatalf("torn behind row %d: %+v, %v", rows, last, err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "out")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("torn behind row %d: the output has %d bytes, not %d, %v", rows, len(got), len(want), err)
		}
	}
}

// A start that is refused leaves the output as it is, with what the one before may have left behind its last checkpoint.
func TestRefusedStartLeavesTheOutput(t *testing.T) {
	input := testInput(300)
	lines := bytes.SplitAfter(input, []byte("\n"))
	changed := slices.Clone(lines)
	changed[55] = []byte(`{"id":55,"ciphertext":"QUFB"}` + "\n")
	for what, now := range map[string][][]byte{
		"a changed row": changed,
		"a row less":    slices.Delete(slices.Clone(lines), 20, 21),
		"a short input": lines[:100],
		"no input":      nil,
	} {
		folder := t.TempDir()
		cfg := tornRun(t, folder, input, 140)
		before := readFiles(t, folder)
		cfg.Medium = testConfig(t, folder, bytes.Join(now, nil), nil).Medium
		if _, err := Run(t.Context(), cfg); !errors.Is(err, ErrInputChanged) {
			t.Errorf("%s: %v", what, err)
		}
		after := readFiles(t, folder)
		for _, name := range []string{"out", "journal"} {
			if after[name] != before[name] {
				t.Errorf("%s: %s has %d bytes, not %d", what, name, len(after[name]), len(before[name]))
			}
		}
	}
}
