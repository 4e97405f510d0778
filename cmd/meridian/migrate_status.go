package main

import (
	"io"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

func newMigrateStatusCommand() *cobra.Command {
	var output outputFlags
	c := &cobra.Command{
		Use:   "status JOURNAL",
		Short: "Tell how far a run is, while it goes on or after it",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := output.check(c); err != nil {
				return err
			}
			header, history, pulse, err := observeJournal(args[0], nil)
			if err != nil {
				return err
			}
			v := viewOf(args[0], header, history.Last(), history)
			v.Pulse = pulse
			if v.Back, err = migrate.RolledBack(args[0], header, history); err != nil {
				return err
			}
			return output.printer(c).value(v, func(w io.Writer) { v.table(w) })
		},
	}
	output.addTo(c)
	return c
}
