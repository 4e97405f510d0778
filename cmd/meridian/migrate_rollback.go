package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// rollbackView is what came of putting old ciphertexts back.
type rollbackView struct {
	Journal string `json:"journal"`
	DryRun  bool   `json:"dry_run"`
	migrate.Rollback
}

func newMigrateRollbackCommand() *cobra.Command {
	f := &rollbackFlags{}
	c := &cobra.Command{
		Use:   "rollback --journal FILE --db URL",
		Short: "Put the old ciphertexts of a table back",
		Long: `Puts back what a run over a table has replaced, from the file that the run keeps beside
its journal (FILE.undo). A row is put back only where the run's new ciphertext still is:
where another writer has changed it since, what that wrote stays, and the row is counted.
Old ciphertexts open as long as their key and its version are there.

The run may be done or not; it cannot go on afterwards. A rollback that was ended goes
on when it is started again. --dry-run only looks. The table is that of the journal.

It ends with exit code 7 when rows could not be put back.`,
		Example: `  meridian migrate rollback --journal keys.journal --db env://DB --dry-run
  meridian migrate rollback --journal keys.journal --db env://DB`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.output.addTo(c)
	fl := c.Flags()
	fl.StringVar(&f.journal, "journal", "", "`FILE` of the run's journal")
	fl.StringVar(&f.table.db, "db", "", dbUsage)
	fl.BoolVar(&f.dryRun, "dry-run", false, "count, and change nothing")
	return c
}

// rollbackFlags are the flags of `meridian migrate rollback`.
type rollbackFlags struct {
	journal string
	table   tableFlags
	dryRun  bool
	output  outputFlags
}

func (f *rollbackFlags) run(c *cobra.Command) error {
	switch {
	case f.journal == "":
		return usageError("--journal FILE says which run")
	case f.table.db == "":
		return usageError("--db URL says where the table is")
	}
	if err := f.output.check(c); err != nil {
		return err
	}
	ctx, stop := interruptible(c.Context())
	defer stop()
	t, header, err := f.table.ofRun(ctx, f.journal)
	if err != nil {
		return err
	}
	defer t.Close()
	p := f.output.printer(c)
	r, err := migrate.RollBack(ctx, migrate.UndoPath(f.journal), header.Input, t, f.dryRun, rollbackProgress(p))
	if err != nil {
		return rollbackError(r, tableError(err))
	}
	return f.report(p, r)
}

// rollbackProgress writes a line now and then.
func rollbackProgress(p *printer) func(migrate.Rollback) {
	if p.quiet || p.noProgress {
		return nil
	}
	next := time.Now().Add(plainProgress)
	return func(r migrate.Rollback) {
		if time.Now().After(next) {
			next = time.Now().Add(plainProgress)
			fmt.Fprintf(p.err, "changes %d, put back %d\n", r.Changes, r.Restored)
		}
	}
}

// rollbackError says how far a rollback came that is not done.
func rollbackError(r *migrate.Rollback, err error) error {
	switch {
	case r == nil, errors.Is(err, migrate.ErrInUse), errors.Is(err, migrate.ErrOtherRun):
		return err
	case errors.Is(err, context.Canceled):
		err = &exitError{exitInterrupted, errors.New("stopped; the same command goes on")}
	}
	return failAfter(err, "after %s rows were put back: ", grouped(uint64(r.Restored)))
}

func (f *rollbackFlags) report(p *printer, r *migrate.Rollback) error {
	v := rollbackView{Journal: f.journal, DryRun: f.dryRun, Rollback: *r}
	if err := p.value(v, func(w io.Writer) { v.table(w) }); err != nil {
		return err
	}
	if r.Left > 0 {
		return &exitError{exitFailedRows, fmt.Errorf("%d rows are not as before the run", r.Left)}
	}
	return nil
}

func (v rollbackView) table(w io.Writer) {
	done := "put back"
	if v.DryRun {
		done = "would be put back"
	}
	fmt.Fprintf(w, "changes %s: %s %s, as before already %s, left as they are %s\n", grouped(uint64(v.Changes)), done,
		grouped(uint64(v.Restored)), grouped(uint64(v.AsBefore)), grouped(uint64(v.Left)))
	for _, failure := range v.Failures[:min(len(v.Failures), shownFailures)] {
		fmt.Fprintln(w, failureLine(failure))
	}
	if more := len(v.Failures) - shownFailures; more > 0 {
		fmt.Fprintln(w, "and more: --output json names them")
	}
	if v.DryRun {
		fmt.Fprintln(w, "Nothing was written.")
	}
}
