package migrate

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The number of batches at once is halved when a region says to come later, once a second, and grows back slowly.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Region{}
		p := newPace(32, []*Region{r})
		step := func(throttle bool) int {
			time.Sleep(paceTime)
			if throttle {
				r.traffic.throttled()
				r.traffic.throttled()
			}
			if !p.tryTake() {
				t.Fatal("no slot is free")
			}
			p.give()
			return p.limit
		}
		for i, want := range []int{16, 8, 4, 2, 1, 1} {
			if got := step(true); got != want {
				t.Errorf("throttled for the %d. time it is %d, want %d", i+1, got, want)
			}
			r.traffic.throttled()
			if !p.tryTake() || p.limit != want {
				t.Errorf("throttled again in the same second it is %d, want %d", p.limit, want)
			}
			p.give()
		}
		for i, want := range []int{1, 3, 5, 7} { // the first second still counts what was told in it
			if got := step(false); got != want {
				t.Errorf("after %d quiet seconds it is %d, want %d", i, got, want)
			}
		}
		for range 20 {
			step(false)
		}
		if p.limit != 32 {
			t.Errorf("it ends at %d", p.limit)
		}
	})
}

// A slot is waited for, until one is free or ctx ends.
func TestPaceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Region{}
		p := newPace(2, []*Region{r})
		for range 2 {
			if err := p.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.take(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third one: %v", err)
		}
		taken := make(chan error, 1)
		go func() { taken <- p.take(t.Context()) }()
		synctest.Wait()
		p.give()
		if err := <-taken; err != nil {
			t.Error(err)
		}
		time.Sleep(paceTime)
		r.traffic.throttled()
		p.give()
		go func() { taken <- p.take(t.Context()) }()
		synctest.Wait()
		select {
		case <-taken:
			t.Error("a second one while it is one at once")
		default:
		}
		began := time.Now()
		if err := <-taken; err != nil || time.Since(began) > 2*paceTime {
			t.Errorf("it waited %v for the pace to grow, %v", time.Since(began), err)
		}
	})
}

// A run that is throttled goes on with fewer batches at once.
func TestThrottledRunSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Region{}
		running := make(chan struct{}, 16)
		most, late := 0, 0
		lock := make(chan struct{}, 1)
		began := time.Now()
		way := &mirror{batch: 1, before: func(int64) error {
			running <- struct{}{}
			lock <- struct{}{}
			if n := len(running); time.Since(began) > 6*paceTime {
				late = max(late, n)
			} else {
				most = max(most, n)
			}
			if time.Since(began) > 0 {
				r.traffic.throttled()
			}
			<-lock
			time.Sleep(50 * time.Millisecond)
			<-running
			return nil
		}}
		cfg := testConfig(t, t.TempDir(), testInput(600), way)
		cfg.Parallel, cfg.Regions, cfg.Every = 16, []*Region{r}, time.Second
		if last, err := Run(t.Context(), cfg); err != nil || !last.Done {
			t.Fatalf("%+v, %v", last, err)
		}
		if most != 16 || late != 1 {
			t.Errorf("%d at once at first, %d at the end", most, late)
		}
	})
}

// What was written becomes durable also while the next batch takes long.
func TestCheckpointWhileABatchTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []time.Duration
		began := time.Now()
		way := &mirror{batch: 1, before: func(call int64) error {
			if call == 6 {
				time.Sleep(time.Hour)
			}
			return nil
		}}
		cfg := testConfig(t, t.TempDir(), bytes.Repeat([]byte(`{"ciphertext":"QUFB"}`+"\n"), 6), way)
		cfg.Parallel, cfg.Every = 1, time.Second
		cfg.Progress = func(c Checkpoint) { seen = append(seen, time.Since(began)) }
		if last, err := Run(t.Context(), cfg); err != nil || last.Rows != 6 {
			t.Fatalf("%+v, %v", last, err)
		}
		if len(seen) != 3 || seen[0] != time.Second || seen[1] != time.Hour { // and the end of the input
			t.Errorf("checkpoints after %v", seen)
		}
	})
}
