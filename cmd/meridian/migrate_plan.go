package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// planView is what a run would do.
type planView struct {
	Input string `json:"input"`
	Way   string `json:"way"`
	migrate.Plan
}

func newMigratePlanCommand() *cobra.Command {
	f := &migrateRun{rowFlags: rowFlags{columns: migrate.DefaultColumns}}
	listBad := false
	c := &cobra.Command{
		Use:   "plan INPUT --from ID --to ID [--transport-key KEY]",
		Short: "Tell what a run would do, and try the rights that it needs",
		Long: `Reads every row of INPUT and says from which keys and versions the data keys are and
under which keys they would go, which rows would fail, and whether both regions would
do their part, by dry runs. Nothing is opened and nothing is written.

Of a table (--db) it also tries whether it may be written, and changes nothing in it.

It ends with exit code 7 when rows would fail.`,
		Args: f.args,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := errors.Join(f.checkRows(c), f.checkWay(false), f.output.check(c)); err != nil {
			return err
		}
		p := f.output.printer(c)
		failures, err := p.streamFailures("list-bad", listBad)
		if err != nil {
			return err
		}
		ctx, stop := interruptibleTwice(c.Context(), f.program.kill)
		defer stop()
		way, err := f.open(ctx, c, p)
		if err != nil {
			return err
		}
		defer way.Close()
		rows, end, err := f.planRows(ctx, c, args)
		if err != nil {
			return err
		}
		defer end()
		rows = f.unique(rows, migrate.Shard{})
		if u, ok := rows.(*migrate.Unique); ok {
			defer u.Close()
		}
		plan, err := way.Plan(ctx, migrate.Ruled{Format: rows, Rules: way.rules}, failures.each())
		if err := failures.end(); err != nil {
			return err
		}
		forgotten(p, rows)
		if err != nil {
			if ctx.Err() != nil {
				return &exitError{exitInterrupted, errors.New("interrupted; nothing was done")}
			}
			return f.sides.callError(err)
		}
		v := planView{Input: cmp.Or(f.input(args), f.table.spec.Table), Way: way.name, Plan: *plan}
		if err := p.value(v, func(w io.Writer) { v.table(w) }); err != nil {
			return err
		}
		if plan.Failing > 0 {
			return &exitError{exitFailedRows, fmt.Errorf("%d of %d rows would fail", plan.Failing, plan.Rows)}
		}
		return nil
	}
	f.sides.addTo(c)
	f.output.addTo(c)
	f.addWayTo(c)
	f.ways.addTo(c)
	f.program.addTo(c)
	f.folder.addTo(c)
	f.addIDsTo(c)
	c.Flags().BoolVar(&listBad, "list-bad", false, "name every bad row as it is found, not the first ones only; with --output jsonl one object a line, and the plan as the last; rows of a key that cannot be used are counted with the key")
	return c
}

func (v planView) table(w io.Writer) {
	skipped := ""
	if v.Skipped > 0 {
		skipped = fmt.Sprintf("skipped %s, ", grouped(uint64(v.Skipped)))
	}
	notTried := ""
	if v.Others > 0 {
		notTried = fmt.Sprintf(", not tried %s", grouped(uint64(v.Others)))
	}
	fmt.Fprintf(w, "rows %s: to move %s, kept %s, %swould fail %s%s; the %s way\n", grouped(uint64(v.Rows)),
		grouped(uint64(v.Rows-v.Kept-v.Skipped-v.Failing-v.Others)), grouped(uint64(v.Kept)), skipped, grouped(uint64(v.Failing)), notTried, v.Way)
	p := &printer{out: w}
	var cells [][]string
	for _, g := range v.Groups {
		name := cmp.Or(strings.Join(g.Names, " "), g.Source)
		cells = append(cells, []string{name, g.Version, grouped(uint64(g.Rows)), g.State, g.To, cmp.Or(printable(g.Problem), "ok")})
	}
	if v.Others > 0 {
		reason := fmt.Sprintf("not tried: %s groups are told apart, and these rows are of others", grouped(uint64(len(v.Groups))))
		cells = append(cells, []string{"others", "", grouped(uint64(v.Others)), "", "", reason})
	}
	if len(cells) > 0 {
		p.table(w, []string{"SOURCE KEY", "VERSION", "ROWS", "STATE", "DESTINATION", "CHECK"}, cells)
	}
	writeFailures(w, v.Failures, v.Cut, "--list-bad names them")
	if v.Estimate.Calls > 0 {
		fmt.Fprintf(w, "about %s calls and %s\n", grouped(uint64(v.Estimate.Calls)), max(v.Estimate.Took.Round(time.Second), time.Second))
	}
	fmt.Fprintln(w, "Nothing was written.")
}
