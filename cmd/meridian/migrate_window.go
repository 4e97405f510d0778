package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// window is the hours in which a run works.
type window struct {
	text string
	is   migrate.Window
}

func (w *window) addTo(c *cobra.Command) {
	c.Flags().StringVar(&w.text, "window", "", "`HOURS` of each day in which the run works, local time, such as 22:00-06:00; outside it waits")
}

// parse reads the flag.
func (w *window) parse() (err error) {
	if w.text == "" {
		return nil
	}
	if w.is, err = migrate.ParseWindow(w.text); err != nil {
		return usageError("--window %w", err)
	}
	return nil
}

// gate holds a run outside of the window; nil: there is none.
func (w *window) gate(p *printer) func(context.Context) error {
	if w.text == "" {
		return nil
	}
	return func(ctx context.Context) error {
		return w.is.Wait(ctx, func(until time.Time) {
			if !p.quiet {
				fmt.Fprintf(p.err, "outside of --window %s: waiting until %s; Ctrl-C ends the run, which can go on later\n", w.text, until.Format("2006-01-02 15:04"))
			}
		})
	}
}
