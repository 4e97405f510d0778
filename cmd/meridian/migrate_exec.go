package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// execFlag names the program of the user's that reads and writes the rows, in the place of files.
type execFlag struct {
	command string
	started atomic.Pointer[migrate.Exec]
}

func (f *execFlag) addTo(c *cobra.Command) {
	c.Flags().StringVar(&f.command, "exec", "", "`PROGRAM` that reads and writes the rows, in the place of INPUT and --out: a command line of the shell, started with read and with write")
}

// medium is where the program has its rows.
func (f *execFlag) medium(c *cobra.Command, columns migrate.Columns) *migrate.Exec {
	e := migrate.NewExec(f.command, columns, c.ErrOrStderr())
	f.started.Store(e)
	return e
}

// tellOfProgram says on standard error that a program does not answer.
func tellOfProgram(p *printer) func(migrate.SilentProgram) {
	if p.quiet {
		return nil
	}
	return func(s migrate.SilentProgram) {
		fmt.Fprintln(p.err, printable(fmt.Sprintf("%s has not answered for row %d for %s, and is waited for", s.Program, s.Row, s.Waited.Round(time.Second))))
	}
}

// kill ends what was started, for a process that ends without waiting for it.
func (f *execFlag) kill() {
	if e := f.started.Load(); e != nil {
		e.Kill()
	}
}

// given says that the rows are a program's.
func (f *execFlag) given() bool { return f.command != "" }

// args wants a file, or a program in its place.
func (f *execFlag) args(_ *cobra.Command, args []string) error {
	switch {
	case f.given() && len(args) > 0:
		return usageError("%s: rows come from INPUT or from --exec, not from both", args[0])
	case !f.given() && len(args) != 1:
		return usageError("give one INPUT (- is standard input), or --exec PROGRAM")
	}
	return nil
}

// input is what the command line names as the input.
func (f *execFlag) input(args []string) string {
	switch {
	case f.given():
		return "exec " + f.command
	case len(args) == 0: // rows of a table
		return ""
	}
	return args[0]
}

// checkExec refuses what does not go with a program.
func (f *migrateRun) checkExec() error {
	if f.program.given() && (f.out != "" || f.compression != "" || f.format != "") {
		return usageError("--exec: the program gets the rows, as JSON lines; leave out --out, --compression and --format")
	}
	return nil
}

// openRows opens the input of a run; a program, a folder and a table have their own.
func (f *migrateRun) openRows(ctx context.Context, c *cobra.Command, path string) (*rowInput, error) {
	if f.program.given() || f.folder.given() || f.table.given() {
		return &rowInput{}, nil
	}
	return openInput(ctx, c, path)
}

// planRows reads the rows for a plan. end is called once they were read.
func (f *migrateRun) planRows(ctx context.Context, c *cobra.Command, args []string) (rows migrate.Format, end func() error, err error) {
	if f.table.given() {
		return f.table.read(ctx)
	}
	if f.program.given() {
		e := f.program.medium(c, f.columns)
		rows, err := e.Rows(ctx)
		return rows, e.Close, err
	}
	if f.folder.given() {
		return f.planFolder(ctx)
	}
	input, err := openInput(ctx, c, args[0])
	if err != nil {
		return nil, nil, err
	}
	if rows, err = f.rows(args[0], input); err != nil {
		_ = input.Close() // it was only read
		return nil, nil, unreadable(ctx, "input", err)
	}
	return rows, input.Close, nil
}
