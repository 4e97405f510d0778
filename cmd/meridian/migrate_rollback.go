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
		Use:   "rollback --journal FILE [--db URL]",
		Short: "Put the old ciphertexts of a table or a folder back",
		Long: `Puts back what a run over a table, or over a folder in place, has replaced, from the file
that the run keeps beside its journal (FILE.undo). A row is put back only where the run's
new ciphertext still is: where another writer has changed it since, what that wrote stays,
and the row is counted. Old ciphertexts open as long as their key and its version are
there.

The run may be done or not; it cannot go on afterwards. A rollback that was ended goes
on when it is started again. --dry-run only looks. The table or the folder is that of the
journal; a table's database is named by --db, and a folder as it was given to the run.

It ends with exit code 7 when rows could not be put back.`,
		Example: `  meridian migrate rollback --journal keys.journal --dry-run
  meridian migrate rollback --journal keys.journal
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
	if err := f.output.check(c); err != nil {
		return err
	}
	header, history, err := readJournal(f.journal)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(c.Context())
	defer stop()
	to, end, err := f.restorer(ctx, header)
	if err != nil {
		return err
	}
	defer end()
	p := f.output.printer(c)
	r, err := migrate.RollBack(ctx, migrate.UndoFileOf(f.journal, header, history), to, f.dryRun, rollbackProgress(p))
	if err != nil {
		return rollbackError(r, tableError(err))
	}
	return f.report(p, r)
}

// restorer opens what the run has changed.
func (f *rollbackFlags) restorer(ctx context.Context, h migrate.Header) (to migrate.Restorer, end func() error, err error) {
	switch {
	case ofTable(h) && !f.table.given():
		return nil, nil, usageError("--db URL says where the table is")
	case ofTable(h) || f.table.given():
		t, err := f.table.ofRun(ctx, h)
		if err != nil {
			return nil, nil, err
		}
		return t, t.Close, nil
	case h.Output != "":
		return nil, nil, usageError("this run wrote %s and changed nothing in its input %s: there is nothing to put back", h.Output, h.Input)
	case !ofFolder(h):
		return nil, nil, usageError("this run gave its rows to a program (%s): what that has replaced it alone can put back", h.Input)
	}
	folder, err := folderOfRun(h, f.journal)
	if err != nil {
		return nil, nil, err
	}
	return folder, folder.Close, nil
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
	case errors.Is(err, migrate.ErrFolderInUse), errors.Is(err, migrate.ErrInUse):
		return usageError("%w", err)
	case r == nil, errors.Is(err, migrate.ErrOtherRun):
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
	fmt.Fprintf(w, "changes %s: %s %s, as before already %s, ", grouped(uint64(v.Changes)), done, grouped(uint64(v.Restored)), grouped(uint64(v.AsBefore)))
	if v.Repeated > 0 {
		fmt.Fprintf(w, "noted twice %s, ", grouped(uint64(v.Repeated)))
	}
	fmt.Fprintf(w, "left as they are %s\n", grouped(uint64(v.Left)))
	writeFailures(w, v.Failures, v.Cut, jsonNames(v.Failures, v.Cut))
	if v.DryRun {
		fmt.Fprintln(w, "Nothing was written.")
	}
}
