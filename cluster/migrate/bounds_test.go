package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// A rate of failures ends a run when it is above the bound, not before so many rows, and not at the bound.
func TestTooHighARate(t *testing.T) {
	input := func(rows, broken int) []byte {
		return []byte(strings.Repeat("broken\n", broken) + strings.Repeat(`{"ciphertext":"QUFB"}`+"\n", rows-broken))
	}
	for _, c := range []struct {
		rows, broken int
		rate         float64
		err          error
		seen         int64
	}{
		{RateRows - 1, RateRows - 1, 0.001, nil, RateRows - 1},
		{RateRows, RateRows, 1, nil, RateRows},
		{2 * RateRows, 6, 0.01, ErrTooManyFailures, RateRows},
		{2 * RateRows, 5, 0.01, nil, 2 * RateRows},
		{2 * RateRows, RateRows, 0, nil, 2 * RateRows},
	} {
		cfg := testConfig(t, t.TempDir(), input(c.rows, c.broken), &mirror{batch: 1})
		cfg.MaxFailureRate, cfg.Every = c.rate, time.Hour
		if last, err := Run(t.Context(), cfg); !errors.Is(err, c.err) || last.Rows != c.seen {
			t.Errorf("%d of %d, at most %g: %+v, %v", c.broken, c.rows, c.rate, last, err)
		}
	}
}

// What a failure repeats of a row is bounded, and still text.
func TestFailuresAreShort(t *testing.T) {
	for _, size := range []int{maxFailureID, maxFailureID + 1, maxFailureID + 2} {
		f := failureOf(&Row{ID: "x" + strings.Repeat("ä", size/2)}, fault(FaultSyntax, "%s", strings.Repeat("y", 5000)))
		if !utf8.ValidString(f.ID) || len(f.ID) > maxFailureID+len("…") || len(f.Reason) > maxFailureReason+len("…") || !strings.HasSuffix(f.Reason, "y…") {
			t.Errorf("%d bytes: %d, %d", size, len(f.ID), len(f.Reason))
		}
	}
	if f := failureOf(&Row{ID: strings.Repeat("x", maxFailureID)}, fault(FaultSyntax, "y")); len(f.ID) != maxFailureID || f.Reason != "y" {
		t.Errorf("%+v", f)
	}
}

// A journal of very many checkpoints is read into few, of which the last is the last.
func TestHistoryIsBounded(t *testing.T) {
	var kept thinned
	for i := range int64(5 * maxKept) {
		kept.add(Checkpoint{Rows: i + 1})
		h := History{Checkpoints: kept.list}
		if len(h.Checkpoints) > maxKept || len(h.Checkpoints) < min(int(i)+1, maxKept/2) || h.Last().Rows != i+1 {
			t.Fatalf("%d checkpoints, the last at row %d of %d", len(h.Checkpoints), h.Last().Rows, i+1)
		}
		if i%1000 != 0 {
			continue
		}
		for at, c := range h.Checkpoints[:len(h.Checkpoints)-1] {
			if c.Rows != int64(at+1)*kept.stride {
				t.Fatalf("checkpoint %d is at row %d, in steps of %d", at, c.Rows, kept.stride)
			}
		}
	}
}

// rowsReader is an input of very many rows that is nowhere as a whole.
type rowsReader struct {
	rows, at int
	line     func(at int) string
	rest     []byte
	every    func()
}

func (r *rowsReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.at == r.rows {
			return 0, io.EOF
		}
		for range min(100, r.rows-r.at) {
			r.rest = append(r.rest, r.line(r.at)...)
			r.at++
		}
		if r.at%20_000 == 0 {
			r.every()
		}
	}
	n := copy(p, r.rest)
	r.rest = append(r.rest[:0], r.rest[n:]...)
	return n, nil
}

// keeper moves nothing, in big batches.
type keeper struct{}

func (keeper) Batch() int { return 500 }

func (keeper) Move(_ context.Context, rows []*Row) ([]Outcome, error) {
	outcomes := make([]Outcome, len(rows))
	for i, row := range rows {
		outcomes[i] = Outcome{Status: Moved, From: "cn-a/k/v", Blob: row.Blob}
	}
	return outcomes, nil
}

// The heap is as big after hundreds of thousands of rows as after the first, good or bad, packed or not.
func TestMemoryIsConstant(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	const rows = 300_000
	blob := strings.Repeat("QUFB", 50)
	good := func(i int) string {
		return fmt.Sprintf(`{"id":"%d","ciphertext":"%s","context":{"row":"%d"}}`+"\n", i, blob, i)
	}
	for what, c := range map[string]struct {
		line        func(i int) string
		compression Compression
	}{
		"good rows":     {good, Plain},
		"bad rows":      {func(i int) string { return fmt.Sprintf(`{"id":"%d","ciphertext":7}`+"\n", i) }, Plain},
		"packed output": {good, Zstd},
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			var first, most uint64
			input := &rowsReader{rows: rows, line: c.line, every: func() {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				if first == 0 {
					first = m.HeapAlloc
				}
				most = max(most, m.HeapAlloc)
			}}
			cfg := testConfig(t, folder, nil, keeper{})
			unique := (*Unique)(nil)
			files := NewFiles(input, filepath.Join(folder, "out"), func(input io.Reader) (Format, error) {
				unique = NewUnique(NewJSONLines(input, DefaultColumns), Shard{}, rows)
				return unique, nil
			})
			files.Compression = c.compression
			cfg.Medium, cfg.Every = files, 100*time.Millisecond
			last, err := Run(t.Context(), cfg)
			if err != nil || last.Rows != rows {
				t.Fatalf("%+v, %v", last, err)
			}
			if err := unique.Close(); err != nil {
				t.Error(err)
			}
			if most > first+16<<20 {
				t.Errorf("the heap grew from %d KiB to %d", first>>10, most>>10)
			}
			t.Logf("%d KiB to %d", first>>10, most>>10)
			checkListed(t, cfg.Journal, last.Counts.Failed)
		})
	}
}

// checkListed reads a journal: its history is bounded, and every failure is in it.
func checkListed(t *testing.T, journal string, failed int64) {
	t.Helper()
	seen := int64(0)
	_, history, err := EachFailure(journal, func(Failure) error { seen++; return nil })
	if err != nil || seen != failed || int64(len(history.Failures)) != min(failed, MaxListed) {
		t.Errorf("%d failures listed, %d in all, want %d; %v", len(history.Failures), seen, failed, err)
	}
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if n := bytes.Count(line, []byte(`"row":`)); n > maxPending+500 {
			t.Errorf("a checkpoint names %d rows", n)
		}
	}
}

// weighed is a way and a medium that weigh what is between them.
type weighed struct {
	Way
	Medium
	mu        sync.Mutex
	now, most int64 // bytes
}

func (w *weighed) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	w.weigh(rows, 1)
	return w.Way.Move(ctx, rows)
}

func (w *weighed) Write(ctx context.Context, rows []*Row, outcomes []Outcome) error {
	w.weigh(rows, -1)
	return w.Medium.Write(ctx, rows, outcomes)
}

func (w *weighed) weigh(rows []*Row, side int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		w.now += side * int64(len(row.carried.(*jsonRow).line))
	}
	w.most = max(w.most, w.now)
}
