package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// benchBar shows how far a run is, on a terminal. A nil one shows nothing.
type benchBar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	end      chan struct{}
	ticking  sync.WaitGroup
}

const barRefresh = 200 * time.Millisecond

// startBar starts a bar over a time or a count. Calls that end are counted in
// done; where that is nil, step moves the bar.
func (b *benchRun) startBar(name string, duration time.Duration, count int64, done *atomic.Int64) *benchBar {
	if b.quiet || b.noProgress || !isTerminal(b.err) {
		return nil
	}
	total := count
	if total == 0 {
		total = duration.Milliseconds()
	}
	bar := &benchBar{progress: mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40), mpb.WithRefreshRate(barRefresh)), end: make(chan struct{})}
	start := time.Now()
	rate := func(decor.Statistics) string {
		if done == nil {
			return ""
		}
		return fmt.Sprintf("  %s/s", grouped(uint64(float64(done.Load())/max(time.Since(start).Seconds(), 0.001))))
	}
	bar.bar = bar.progress.AddBar(total,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name+" ")),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.Any(rate)),
	)
	if done == nil {
		return bar
	}
	bar.ticking.Go(func() {
		tick := time.NewTicker(barRefresh)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if count > 0 {
					bar.bar.SetCurrent(min(done.Load(), total-1))
				} else {
					bar.bar.SetCurrent(min(time.Since(start).Milliseconds(), total-1))
				}
			case <-bar.end:
				return
			}
		}
	})
	return bar
}

// step moves the bar by one.
func (b *benchBar) step() {
	if b != nil {
		b.bar.Increment()
	}
}

// stop takes the bar away.
func (b *benchBar) stop() {
	if b == nil {
		return
	}
	close(b.end)
	b.ticking.Wait()
	b.bar.Abort(true)
	b.progress.Wait()
}
