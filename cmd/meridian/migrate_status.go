package main

import (
	"io"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

func newMigrateStatusCommand() *cobra.Command {
	var output outputFlags
	listFailed := false
	c := &cobra.Command{
		Use:   "status JOURNAL",
		Short: "Tell how far a run is, while it goes on or after it",
		Example: `  meridian migrate status keys2.jsonl.journal
  meridian migrate status keys2.jsonl.journal --list-failed --output jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := output.check(c); err != nil {
				return err
			}
			p := output.printer(c)
			failures, err := p.streamFailures("list-failed", listFailed)
			if err != nil {
				return err
			}
			return writeStatus(p, args[0], failures)
		},
	}
	output.addTo(c)
	c.Flags().BoolVar(&listFailed, "list-failed", false, "name every failed row with its reason, not the first ones only; with --output jsonl one object a line, and the status as the last")
	return c
}

// writeStatus tells how far a run is, behind all failed rows if they are to be named one by one.
func writeStatus(p *printer, journal string, failures *failureStream) error {
	header, history, pulse, err := observeJournal(journal, failures.each())
	if err := failures.end(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	v := viewOf(journal, header, history.Last(), history)
	v.Pulse = pulse
	if failures != nil {
		v.Failures, v.Cut = nil, 0
	}
	if v.Back, err = migrate.RolledBack(journal, header, history); err != nil {
		return err
	}
	return p.value(v, func(w io.Writer) { v.table(w) })
}
