package main

import (
	"fmt"
	"io"
	"os"
	"strings"
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
	p        *printer
	below    io.Writer // standard error, where the bar is drawn
}

// plainProgress is how often a line tells of the progress where there is no terminal.
const plainProgress = 10 * time.Second

// startMigrateBar has a run's checkpoints move a bar, or a mark that turns where nobody knows the size of the input. Where
// nobody sees bars they write a line now and then.
func startMigrateBar(p *printer, input *rowInput, cfg *migrate.Config) *migrateBar {
	var rate migrateRate
	if p.quiet || p.noProgress {
		return nil
	}
	if !isTerminal(p.err) {
		next := time.Now().Add(plainProgress)
		cfg.Progress = func(c migrate.Checkpoint) {
			rate.add(time.Now(), c, input.at(c.Rows))
			if time.Now().Before(next) {
				return
			}
			next = time.Now().Add(plainProgress)
			fmt.Fprintln(p.err, progressLine(input, c, cfg.Regions, &rate))
		}
		return nil
	}
	var state atomic.Pointer[string]
	state.Store(new(string))
	b := &migrateBar{progress: mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40), mpb.WithRefreshRate(barRefresh)), p: p, below: p.err}
	p.err = b.progress // what is said meanwhile goes above the bar
	options := []mpb.BarOption{
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name("rows ")),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *state.Load() })),
	}
	if input.size == 0 {
		b.bar = b.progress.AddSpinner(0, options...)
	} else {
		b.bar = b.progress.AddBar(input.size, options...)
	}
	cfg.Progress = func(c migrate.Checkpoint) {
		rate.add(time.Now(), c, input.at(c.Rows))
		text := "  " + strings.TrimPrefix(progressLine(input, c, cfg.Regions, &rate), "rows ")
		state.Store(&text)
		if input.size > 0 {
			b.bar.SetCurrent(min(input.read.Load(), input.size-1))
		}
	}
	return b
}

// progressLine says how far a run is, and how fast.
func progressLine(input *rowInput, c migrate.Checkpoint, regions []*migrate.Region, rate *migrateRate) string {
	parts := []string{"rows " + grouped(uint64(c.Rows))}
	if input.size > 0 {
		parts = append(parts, fmt.Sprintf("%d %% of the input", 100*input.read.Load()/input.size))
	}
	if text := rate.text(input.size); text != "" {
		parts = append(parts, text)
	}
	parts = append(parts, "failed "+grouped(uint64(c.Counts.Failed)), "throttled "+grouped(uint64(throttledBy(regions))))
	return strings.Join(parts, ", ")
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
	b.p.err = b.below
}
