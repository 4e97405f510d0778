package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
	"meridian/cluster/migrate/table"
)

// tableFlags say which table of which database holds data keys.
type tableFlags struct {
	db   string
	spec table.Spec
}

const dbUsage = "`URL` of a database: env://NAME or file://PATH that hold it, or the URL itself if it has no password"

func (f *tableFlags) addTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.db, "db", "", dbUsage)
	fl.StringVar(&f.spec.Table, "table", "", "`NAME` of the table, with its schema if need be")
	fl.StringVar(&f.spec.Key, "key", "", "`COLUMN` that names a row: unique and never NULL")
	fl.StringVar(&f.spec.Blob, "column", "", "`COLUMN` with the ciphertext: text in Base64, or binary")
	fl.StringVar(&f.spec.Context, "context-column", "", "`COLUMN` with the encryption context as a JSON object")
	fl.StringVar(&f.spec.To, "to-column", "", "`COLUMN` that names the key of the destination")
	fl.StringVar(&f.spec.Where, "where", "", "`SQL` condition that rows have to meet; it is yours, and goes to the database as it is")
}

// given says that the rows are in a table.
func (f *tableFlags) given() bool { return f.db != "" }

// check refuses a command line that does not fit together, or does not say which columns.
func (f *tableFlags) check(c *cobra.Command) error {
	if err := f.checkPlace(c); err != nil || !f.given() {
		return err
	}
	for _, n := range []struct{ name, value, is string }{
		{"table", f.spec.Table, "names the table"}, {"key", f.spec.Key, "names the column that names a row"}, {"column", f.spec.Blob, "names the column with the ciphertext"},
	} {
		if n.value == "" {
			return usageError("--%s %s", n.name, n.is)
		}
	}
	if err := f.spec.Check(); err != nil {
		return usageError("%w", err)
	}
	return nil
}

// checkPlace refuses flags about a table without one, and flags about rows in another place with one.
func (f *tableFlags) checkPlace(c *cobra.Command) error {
	if !f.given() {
		for _, n := range f.named() {
			if c.Flags().Changed(n.flag) {
				return usageError("--%s: say which database with --db", n.flag)
			}
		}
		return nil
	}
	for _, name := range []string{"out", "exec", "format", "compression", "compare-ids", "col-ciphertext", "col-id", "col-context", "col-to", "col-context-to"} {
		if c.Flags().Changed(name) {
			return usageError("--%s does not go with --db: the rows are in its table", name)
		}
	}
	if c.Flags().Changed("map-context") {
		return usageError("--map-context does not go with --db: the application reads contexts from the table, where they stay as they are")
	}
	return nil
}

// args refuses a second place where rows would come from.
func (f *tableFlags) args(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%s: rows come from INPUT or from the table of --db, not from both", args[0])
	}
	if c.Flags().Changed("dir") {
		return usageError("rows come from --dir or from the table of --db, not from both")
	}
	return withoutDir(c)
}

// open connects to the database and looks at the table.
func (f *tableFlags) open(ctx context.Context) (*table.Table, error) {
	text, err := databaseURL(f.db)
	if err != nil {
		return nil, err
	}
	source, err := table.ParseSource(text)
	if err != nil {
		return nil, usageError("--db: %w", err)
	}
	t, err := table.Open(ctx, source, f.spec)
	return t, tableError(err)
}

// openIfGiven is open where there is a table; nil otherwise.
func (f *tableFlags) openIfGiven(ctx context.Context) (*table.Table, error) {
	if !f.given() {
		return nil, nil
	}
	return f.open(ctx)
}

// databaseURL reads what --db names. A password in the command line would be there for everybody on this machine to see.
func databaseURL(text string) (string, error) {
	if name, ok := strings.CutPrefix(text, "env://"); ok {
		value := os.Getenv(name)
		if value == "" {
			return "", usageError("--db: the environment has no %s", name)
		}
		return value, nil
	}
	if path, ok := strings.CutPrefix(text, "file://"); ok {
		file, err := os.Open(path)
		if err != nil {
			return "", usageError("--db: %w", err)
		}
		defer file.Close()
		value, err := readSecretFrom(file, path)
		return string(value), err
	}
	if table.HasPassword(text) {
		return "", usageError("--db: a command line is no place for a password, everybody on this machine can read it. Put the URL into a file or a variable: --db file://PATH or --db env://NAME")
	}
	return text, nil
}

// tableError gives errors of a table their exit codes.
func tableError(err error) error {
	var answer *table.Error
	switch {
	case errors.Is(err, context.Canceled):
		return &exitError{exitInterrupted, fmt.Errorf("stopped: %w", err)}
	case errors.Is(err, table.ErrUnfit), errors.Is(err, migrate.ErrRolledBack):
		return &exitError{exitUsage, err}
	case errors.Is(err, table.ErrNoTable):
		return &exitError{exitNotFound, err}
	case errors.As(err, &answer) && answer.Denied:
		return &exitError{exitDenied, err}
	case errors.As(err, &answer) && answer.Away:
		return &exitError{exitUnavailable, err}
	case errors.As(err, &answer):
		return &exitError{exitFailed, err}
	}
	return err
}

// tableHeader is what makes a run over a table the one that it is.
func (f *migrateRun) tableHeader(name, order string, way *openedWay) migrate.Header {
	options := maps.Clone(way.options)
	maps.Copy(options, f.table.options())
	options["order of keys"], options[shardOption] = order, f.shard
	return migrate.Header{Way: way.name, From: f.sides.from, To: f.sides.to, Input: name, Options: options}
}

// options are what a journal's header says of the table.
func (f *tableFlags) options() map[string]string {
	options := map[string]string{}
	for _, n := range f.named() {
		options[n.option] = *n.value
	}
	return options
}

// tableFlag is a flag that names something of a table, and the option of a journal's header that keeps it.
type tableFlag struct {
	flag, option string
	value        *string
}

func (f *tableFlags) named() []tableFlag {
	return []tableFlag{
		{"table", "table", &f.spec.Table}, {"key", "key column", &f.spec.Key}, {"column", "ciphertext column", &f.spec.Blob},
		{"context-column", "context column", &f.spec.Context}, {"to-column", "to column", &f.spec.To}, {"where", "where", &f.spec.Where},
	}
}

// ofTable says that the rows of a run are those of a table.
func ofTable(h migrate.Header) bool { return h.Options["table"] != "" }

// fromHeader takes the table from the journal of a run, and refuses flags that name another one. Which rows the run was to
// have moved, its undo file says better than a condition.
func (f *tableFlags) fromHeader(h migrate.Header) error {
	if !ofTable(h) {
		return usageError("--db: the run was over %q, and not over a table", h.Input)
	}
	for _, n := range f.named() {
		switch had := h.Options[n.option]; {
		case *n.value == "" || *n.value == had:
		case had == "":
			return usageError("--%s: the run had none; leave it out, the journal says all of the table", n.flag)
		default:
			return usageError("--%s: the run had --%s %q; leave it out, the journal says all of the table", n.flag, n.flag, had)
		}
		*n.value = h.Options[n.option]
	}
	f.spec.Where = ""
	return nil
}

// read opens the table for who only reads, once it may be written as well.
func (f *tableFlags) read(ctx context.Context) (rows migrate.Format, end func() error, err error) {
	t, err := f.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := t.TryWrite(ctx); err != nil {
		return nil, nil, errors.Join(tableError(err), t.Close())
	}
	return tableRows{ctx, t}, t.Close, nil
}

// count adds the rows of the table to a census.
func (f *tableFlags) count(c *cobra.Command, census *migrate.Census) error {
	ctx, stop := interruptible(c.Context())
	defer stop()
	t, err := f.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(census.Add(tableRows{ctx, t}), t.Close())
}

// tableRows are the rows of a table that are only read.
type tableRows struct {
	ctx   context.Context
	table *table.Table
}

// Next returns the next row.
func (r tableRows) Next() (*migrate.Row, error) {
	row, err := r.table.Next(r.ctx)
	return row, tableError(err)
}

// Offset is nothing: rows of a table have no bytes to count.
func (r tableRows) Offset() int64 { return 0 }

// AppendRow appends nothing: rows stay where they are.
func (r tableRows) AppendRow(dst []byte, _ *migrate.Row, _ *migrate.Outcome) []byte { return dst }

// tablePairs are the rows that a run has moved, as its journal and its undo file tell.
func (f *migrateRun) tablePairs(ctx context.Context) (migrate.Pairs, func(), error) {
	header, history, err := readJournal(f.journal)
	if err != nil {
		return nil, nil, err
	}
	f.movedBefore = history.Last().Counts.Moved
	t, err := f.table.ofRun(ctx, header)
	if err != nil {
		return nil, nil, err
	}
	pairs, err := t.Pairs(migrate.UndoFileOf(f.journal, header, history))
	if err != nil {
		return nil, nil, errors.Join(err, t.Close())
	}
	return pairs, func() { _, _ = pairs.Close(), t.Close() }, nil // they were only read
}

// ofRun opens the table of a run, as its journal names it.
func (f *tableFlags) ofRun(ctx context.Context, header migrate.Header) (*table.Table, error) {
	if err := f.fromHeader(header); err != nil {
		return nil, err
	}
	t, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	if t.Name() != header.Input {
		return nil, errors.Join(usageError("the journal is of %q, and --db has %q", header.Input, t.Name()), t.Close())
	}
	return t, nil
}

// changedSince tells of rows that could not be compared, because others have changed them or the run's change is not there,
// and returns how many that are.
func (f *migrateRun) changedSince(p *printer, pairs migrate.Pairs) int64 {
	changes, ok := pairs.(interface {
		Changed() int64
		NotMade() int64
	})
	if !ok {
		return 0
	}
	changed, notMade := changes.Changed(), changes.NotMade()
	if changed > 0 && !p.quiet {
		fmt.Fprintf(p.err, "%s rows were changed or deleted by others since, and not compared\n", grouped(uint64(changed)))
	}
	if notMade > 0 && !p.quiet {
		fmt.Fprintf(p.err, "%s changes were not made, or were taken back\n", grouped(uint64(notMade)))
	}
	return changed + notMade
}
