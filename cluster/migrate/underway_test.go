package migrate

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// standstill starts a run whose first batch is held back, and calls look once all behind it has come as far as it can. Then
// it lets the first go, and fails unless every row is moved.
func standstill(t *testing.T, rows int64, first *held, cfg Config, look func()) {
	t.Helper()
	cfg.Header, cfg.Every = testHeader, time.Hour
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Moved != rows {
			t.Errorf("%+v, %v", last, err)
		}
	}()
	synctest.Wait()
	look()
	close(first.release)
	<-ended
}

// The rows under way hold 64 MiB at the most, about, and that much if there are enough of them.
func TestRowsUnderWayHoldSoManyBytes(t *testing.T) {
	const (
		bound = 64 << 20 // as the page about migrations says
		rows  = 90       // of nearly 1 MiB each
	)
	line := []byte(`{"ciphertext":"QUFBQQ==","note":"` + strings.Repeat("n", maxLine-100) + `"}` + "\n")
	var input []io.Reader
	for range rows {
		input = append(input, bytes.NewReader(line))
	}
	synctest.Test(t, func(t *testing.T) {
		first := &held{Way: &mirror{batch: 50}, release: make(chan struct{})}
		w := &weighed{Way: first, Medium: NewStream(io.MultiReader(input...), io.Discard, jsonLines)}
		standstill(t, rows, first, Config{Way: w, Medium: w, Parallel: rows}, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.now > bound || w.now < bound-maxBatchBytes-maxLine { // one more batch would be too much
				t.Errorf("%d bytes are under way, want nearly %d", w.now, bound)
			}
		})
		if w.most > bound || w.now != 0 {
			t.Errorf("%d bytes were under way at the most, and %d are in the end", w.most, w.now)
		}
	})
}

// counting is a way and a medium that count the rows that are read and those that are given to the way.
type counting struct {
	Way
	Medium
	read, moved atomic.Int64
}

func (c *counting) Next(ctx context.Context) (*Row, error) {
	row, err := c.Medium.Next(ctx)
	if err == nil {
		c.read.Add(1)
	}
	return row, err
}

func (c *counting) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	c.moved.Add(int64(len(rows)))
	return c.Way.Move(ctx, rows)
}

// Behind a batch that is late, so many wait to be written as two rounds of calls bring, and no more are read.
func TestBatchesUnderWayAreBounded(t *testing.T) {
	const rows = 200
	for _, parallel := range []int64{3, 8} {
		synctest.Test(t, func(t *testing.T) {
			input := strings.Repeat(`{"ciphertext":"QUFBQQ=="}`+"\n", rows)
			first := &held{Way: &mirror{batch: 1}, release: make(chan struct{})}
			c := &counting{Way: first, Medium: NewStream(strings.NewReader(input), io.Discard, jsonLines)}
			standstill(t, rows, first, Config{Way: c, Medium: c, Parallel: int(parallel)}, func() {
				want := 2*parallel + 2 // the late one, and one that waits for a place behind the others
				if read, moved := c.read.Load(), c.moved.Load(); read != want || moved != want {
					t.Errorf("%d at once: %d batches were read and %d moved, want %d", parallel, read, moved, want)
				}
			})
		})
	}
}
