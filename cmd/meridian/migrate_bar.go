package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"meridian/cluster/migrate"
)

// migrateBar shows on a terminal how far a run is, by the bytes of its input. A nil one shows nothing.
type migrateBar struct {
	progress *mpb.Progress
	bar      *mpb.Bar
}

// plainProgress is how often a line tells of the progress where there is no terminal.
const plainProgress = 10 * time.Second

// startMigrateBar has a run's checkpoints move a bar, or write a line now and then where nobody sees bars.
func startMigrateBar(p *printer, input *rowInput, cfg *migrate.Config) *migrateBar {
	switch {
	case p.quiet || p.noProgress:
		return nil
	case !isTerminal(p.err) || input.size == 0:
		next := time.Now().Add(plainProgress)
		cfg.Progress = func(c migrate.Checkpoint) {
			if time.Now().Before(next) {
				return
			}
			next = time.Now().Add(plainProgress)
			fmt.Fprintln(p.err, progressLine(input, c, cfg.Regions))
		}
		return nil
	}
	var failed atomic.Int64
	b := &migrateBar{progress: mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40), mpb.WithRefreshRate(barRefresh))}
	b.bar = b.progress.AddBar(input.size,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("rows ")),
		mpb.AppendDecorators(
			decor.Percentage(decor.WC{W: 5}), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left"),
			decor.Any(func(decor.Statistics) string {
				return fmt.Sprintf("  failed %d  throttled %d", failed.Load(), throttledBy(cfg.Regions))
			}),
		),
	)
	cfg.Progress = func(c migrate.Checkpoint) {
		failed.Store(c.Counts.Failed)
		b.bar.SetCurrent(min(input.read.Load(), input.size-1))
	}
	return b
}

// progressLine says how far a run is.
func progressLine(input *rowInput, c migrate.Checkpoint, regions []*migrate.Region) string {
	throttled := throttledBy(regions)
	if input.size == 0 {
		return fmt.Sprintf("rows %d, failed %d, throttled %d", c.Rows, c.Counts.Failed, throttled)
	}
	return fmt.Sprintf("rows %d, %d %% of the input, failed %d, throttled %d", c.Rows, 100*input.read.Load()/input.size, c.Counts.Failed, throttled)
}

// throttledBy is how often regions have said to come later, since this start.
func throttledBy(regions []*migrate.Region) (times int64) {
	for _, r := range regions {
		times += r.Traffic().Throttled
	}
	return times
}

// stop takes the bar away.
func (b *migrateBar) stop() {
	if b == nil {
		return
	}
	b.bar.Abort(true)
	b.progress.Wait()
}
