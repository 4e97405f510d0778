package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

func newMigrateVerifyCommand() *cobra.Command {
	f := &migrateRun{rowFlags: rowFlags{columns: migrate.DefaultColumns}}
	var sample int64
	var all, open bool
	c := &cobra.Command{
		Use:   "verify INPUT --out FILE --from ID --to ID",
		Short: "Compare data keys before and after a move",
		Long: `Between two regions of Meridian both tag the data keys of INPUT and FILE, under a key
that only they have, and the tags of all rows are compared: no data key leaves a region.

Where one side is another service (--transport-key KEY) both regions export data keys of
a sample of the rows to a key pair that lives as long as this command. So they are in
clear in the memory of this process for a moment, which --open allows, and both regions
have to allow exports to any key (export.allow: any).

Of a table, --db and --journal of the run are enough: what the run has replaced, from
JOURNAL.undo, is compared with what the rows hold now. Rows that other writers have
changed since are counted on standard error. The journal says what table and columns
the run had; flags that say otherwise are refused.

Of a folder, give --dir, --glob, --context and --out as the run had them. Files of a run
with --out are compared with those of the other folder. Where it replaced them, --journal
says which run (default: DIR.journal), and they are compared with its undo file.

It ends with exit code 6 when a data key is another one than before.`,
		Example: `  meridian migrate verify keys.jsonl --out keys2.jsonl --from cn-local-1 --to cn-local-2
  meridian migrate verify --dir keys --glob '*.dek' --from cn-local-1 --to cn-local-2
  meridian migrate verify --db env://DB --journal keys.journal --from cn-local-1 --to cn-local-2`,
		Args: f.args,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case f.out == "" && !f.table.given() && !f.folder.given():
			return usageError("--out FILE is what the run has written")
		case f.toStdout():
			return usageError("--out: give the file in which the output of the run was kept; standard input is INPUT - alone")
		case f.shard != "" && (f.table.given() || f.folder.given() && f.out == ""):
			return usageError("--shard: what a run has replaced, in one shard or in all, is in the undo file of its journal; leave it out")
		case sample < 0:
			return usageError("--sample is 0 or more")
		}
		if err := errors.Join(f.rowFlags.check(), f.table.checkPlace(c), f.checkWay(false), f.checkFolder(), f.checkOrder(), f.output.check(c)); err != nil {
			return err
		}
		ctx, stop := interruptible(c.Context())
		defer stop()
		way, err := f.open(ctx, c, f.output.printer(c))
		if err != nil {
			return err
		}
		defer way.Close()
		verifier, ok := way.mover.(migrate.Verifier)
		switch {
		case !ok:
			return usageError("--way %s: want native or standard", way.name)
		case way.name == migrate.WayStandard && !open:
			return usageError("the standard way brings data keys in clear into the memory of this process: say --open if they may")
		}
		chance, err := f.chance(sampleOf(way.name, sample), all)
		if err != nil {
			return err
		}
		if err := f.asRun(c, f.output.printer(c)); err != nil {
			return err
		}
		pairs, end, err := f.pairs(ctx, c, args)
		if err != nil {
			return err
		}
		defer end()
		if way.name == migrate.WayStandard {
			if err := f.noteOpened(f.output.printer(c)); err != nil {
				return err
			}
		}
		v, err := verifier.Verify(ctx, pairs, func() bool { return rand.Float64() < chance }, f.parallel)
		err = tableError(err)
		switch {
		case errors.Is(err, migrate.ErrRows):
			return &exitError{exitVerification, err}
		case err != nil && ctx.Err() != nil:
			return &exitError{exitInterrupted, errors.New("interrupted")}
		case err != nil:
			return f.sides.callError(err)
		}
		p := f.output.printer(c)
		return f.verified(p, v, f.changedSince(p, pairs))
	}
	f.sides.addTo(c)
	f.output.addTo(c)
	f.addWayTo(c)
	f.ways.addTo(c)
	f.folder.addContextTo(c)
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", "`FILE` that the run has written, or the folder")
	fl.StringVar(&f.journal, "journal", "", "`FILE` of the run's journal (default: that of --out, or of --dir, with .journal)")
	fl.StringVar(&f.shard, "shard", "", "`I/N`: the run had it, and FILE has the rows of one part of INPUT (default: as the run's journal says)")
	fl.BoolVar(&f.unordered, "unordered", false, "the run had it: find the rows by their input_row (default: as the run's journal says)")
	fl.IntVar(&f.parallel, "parallel", migrate.DefaultParallel, "`NUMBER` of calls that are under way at once")
	fl.Int64Var(&sample, "sample", 0, "about how many rows are compared, chosen by chance; `NUMBER` (default: all, 1000 in the standard way)")
	fl.BoolVar(&all, "all", false, "compare every row that was moved")
	fl.BoolVar(&open, "open", false, "let data keys be in clear in the memory of this process")
	return c
}

// asRun finds in the journal what the run had, where it is beside the output, and says if the run is not done.
func (f *migrateRun) asRun(c *cobra.Command, p *printer) error {
	if f.table.given() || f.folder.given() {
		return nil
	}
	header, history, err := migrate.ReadJournal(f.journalPath())
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.journal == "":
		return nil // the output may have come from another machine
	case err != nil:
		return journalError(f.journalPath(), err)
	}
	f.movedBefore = history.Last().Counts.Moved
	if f.shard == "" {
		f.shard = header.Options[shardOption]
	}
	f.rowFlags.asRun(c, header)
	f.compression = header.Options["compression"]
	if header.Options["unordered"] != "" {
		f.unordered, f.columns.Numbered = true, true
	}
	if last := history.Last(); !last.Done && !p.quiet {
		fmt.Fprintf(p.err, "the run is not done: %s rows are\n", grouped(uint64(last.Rows)))
	}
	return nil
}

// noteOpened notes in the run's journal that its data keys will be in clear in this process.
func (f *migrateRun) noteOpened(p *printer) error {
	err := migrate.NoteOpened(f.journalPath())
	why := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist) && f.journal == "":
		why = "there is no journal beside the output"
	case errors.Is(err, migrate.ErrInUse):
		why = "the run is at work on its journal"
	case errors.Is(err, fs.ErrPermission):
		why = "the journal may not be written"
	default:
		return journalError(f.journalPath(), err)
	}
	if !p.quiet {
		fmt.Fprintf(p.err, "%s: the report will not say that data keys were in clear here\n", why)
	}
	return nil
}

// pairs are the rows before and after the run.
func (f *migrateRun) pairs(ctx context.Context, c *cobra.Command, args []string) (migrate.Pairs, func(), error) {
	switch {
	case f.table.given():
		return f.tablePairs(ctx)
	case f.folder.given():
		return f.folderPairs()
	}
	shard, err := f.part()
	if err != nil {
		return nil, nil, err
	}
	before, err := openInput(ctx, c, args[0])
	if err != nil {
		return nil, nil, err
	}
	after, err := openRowFile(ctx, f.out)
	if err != nil {
		_ = before.Close() // it was only read
		return nil, nil, unreadable(ctx, "output", err)
	}
	end := func() { _, _ = before.Close(), after.Close() } // they were only read
	old, err := f.rows(args[0], before)
	if err != nil {
		end()
		return nil, nil, unreadable(ctx, "input", err)
	}
	packed := f.out
	if f.compression != "" { // its name does not say
		packed = ""
	}
	moved, err := f.parse(args[0], migrate.Unpack(after, packed))
	if err != nil {
		end()
		return nil, nil, unreadable(ctx, "output", err)
	}
	old = shard.Rows(old)
	if f.unordered {
		return migrate.PairNumbered(old, moved), end, nil
	}
	return migrate.PairFormats(old, moved), end, nil
}

// standardSample is how many rows the standard way compares if nobody says.
const standardSample = 1000

// sampleOf is how many rows are compared, 0 for all of them: fewer if nobody says where data keys come into this process.
func sampleOf(way string, sample int64) int64 {
	if way == migrate.WayStandard && sample == 0 {
		return standardSample
	}
	return sample
}

// chance is that of a row to be looked at.
func (f *migrateRun) chance(sample int64, all bool) (float64, error) {
	if all || sample == 0 {
		return 1, nil
	}
	_, history, err := migrate.ReadJournal(f.journalPath())
	if err != nil {
		return 0, fmt.Errorf("the journal says how many rows there are to choose from: %w; --all needs none", err)
	}
	return min(float64(sample)/float64(max(history.Last().Counts.Moved, 1)), 1), nil
}

// verified tells what came of it. Of the rows that were moved, so many are left out, because they were changed since.
func (f *migrateRun) verified(p *printer, v *migrate.Verification, leftOut int64) error {
	err := p.value(*v, func(w io.Writer) {
		fmt.Fprintf(w, "rows %s: moved %s, compared %s, equal %s\n", grouped(uint64(v.Rows)), grouped(uint64(v.Moved)), grouped(uint64(v.Checked)), grouped(uint64(v.Equal)))
		writeFailures(w, v.Failures, v.Cut, jsonNames(v.Failures, v.Cut))
	})
	if err == nil && v.Equal != v.Checked {
		err = &exitError{exitVerification, fmt.Errorf("%d of %d data keys are not known to be what they were", v.Checked-v.Equal, v.Checked)}
	}
	if found := v.Moved + leftOut; err == nil && found < f.movedBefore {
		err = &exitError{exitVerification, fmt.Errorf("the journal says that %s rows were moved, and only %s of them are found: this is not what the run left",
			grouped(uint64(f.movedBefore)), grouped(uint64(found)))}
	}
	return err
}
