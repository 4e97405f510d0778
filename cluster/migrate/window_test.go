package migrate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // also where the machine knows no time zones
)

func mustWindow(t *testing.T, text string) Window {
	t.Helper()
	w, err := ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A window holds its first minute and not the one that ends it, over midnight too.
func TestWindow(t *testing.T) {
	day := func(clock string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-11-28 "+clock, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct{ window, at, opens string }{
		{"22:00-06:00", "21:59:59", "22:00:00"}, {"22:00-06:00", "22:00:00", "22:00:00"}, {"22:00-06:00", "05:59:59", "05:59:59"},
		{"22:00-06:00", "06:00:00", "22:00:00"}, {"08:30-17:00", "08:29:59", "08:30:00"}, {"08:30-17:00", "16:59:59", "16:59:59"},
		{"00:00-00:01", "00:00:59", "00:00:59"}, {"23:59-00:00", "23:59:59", "23:59:59"},
	} {
		w := mustWindow(t, c.window)
		if got := w.Opens(day(c.at)); !got.Equal(day(c.opens)) || w.Open(day(c.at)) != (c.at == c.opens) {
			t.Errorf("%s opens at %v from %s on, want %s", c.window, got, c.at, c.opens)
		}
	}
	if got := mustWindow(t, "08:30-17:00").Opens(day("17:00:00")); !got.Equal(day("08:30:00").AddDate(0, 0, 1)) {
		t.Errorf("it opens again at %v", got)
	}
	for _, bad := range []string{"", "22:00", "22:00-", "22-06", "24:00-06:00", "22:60-06:00", "22:00-22:00", "2:00-06:00", "22:00-06:00-07:00", "-1:00-06:00"} {
		if w, err := ParseWindow(bad); err == nil {
			t.Errorf("%q is %+v", bad, w)
		}
	}
}

// In the night in which clocks skip an hour that a window begins in, it opens when that hour would have been over.
func TestWindowOnADayWithoutItsHour(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w := mustWindow(t, "02:30-05:00")
	before := time.Date(2026, 3, 29, 1, 59, 0, 0, berlin)
	opens := w.Opens(before)
	if wait := opens.Sub(before); wait < 0 || wait > time.Hour || !w.Open(opens) {
		t.Errorf("it opens at %v, %v later", opens, opens.Sub(before))
	}
}

// sleepUntil sleeps until an hour of the next day, local time.
func sleepUntil(hour int) {
	now := time.Now()
	time.Sleep(time.Until(time.Date(now.Year(), now.Month(), now.Day()+1, hour, 0, 0, 0, time.Local)))
}

// A run works in its window only, waits outside with what it has written safe, and goes on the next night.
func TestRunInAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := mustWindow(t, "22:00-06:00")
		waits := 0
		var outside []time.Time
		way := &mirror{batch: 1, before: func(int64) error {
			if !w.Open(time.Now()) {
				outside = append(outside, time.Now())
			}
			time.Sleep(time.Minute)
			return nil
		}}
		sleepUntil(0)
		began := time.Now()
		cfg := testConfig(t, t.TempDir(), testInput(600), way)
		cfg.Parallel, cfg.Every = 1, time.Second
		cfg.Gate = func(ctx context.Context) error {
			return w.Wait(ctx, func(until time.Time) {
				waits++
				if until.Hour() != 22 {
					t.Errorf("it waits until %v", until)
				}
			})
		}
		var checkpoints []Checkpoint
		cfg.Progress = func(c Checkpoint) { checkpoints = append(checkpoints, c) }
		last, err := Run(t.Context(), cfg)
		if err != nil || !last.Done || last.Rows != 600 {
			t.Fatalf("%+v, %v", last, err)
		}
		if took := time.Since(began); waits != 1 || took < 24*time.Hour || took > 26*time.Hour {
			t.Errorf("it waited %d times and took %v", waits, took)
		}
		for _, at := range outside {
			if at.Sub(began) > 6*time.Hour+2*time.Minute { // what was under way is finished
				t.Errorf("a batch began at %v", at)
			}
		}
		if len(checkpoints) < 3 {
			t.Errorf("%d checkpoints", len(checkpoints))
		}
	})
}

// Somebody who asks a waiting run to stop does not wait.
func TestWaitingRunStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(12)
		w := mustWindow(t, "22:00-06:00")
		ctx, cancel := context.WithCancel(t.Context())
		cfg := testConfig(t, t.TempDir(), testInput(10), &mirror{batch: 1})
		cfg.Gate = func(ctx context.Context) error {
			return w.Wait(ctx, func(time.Time) { time.AfterFunc(time.Hour, cancel) })
		}
		began := time.Now()
		last, err := Run(ctx, cfg)
		if !errors.Is(err, ErrStopped) || last.Rows != 0 || time.Since(began) != time.Hour {
			t.Errorf("%+v, %v after %v", last, err, time.Since(began))
		}
	})
}
