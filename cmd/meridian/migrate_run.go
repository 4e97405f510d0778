package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
	"meridian/cmd/meridian/config"
)

// migrateRun are the flags of `meridian migrate run`.
type migrateRun struct {
	sides     migrateFlags
	output    outputFlags
	out       string
	journal   string
	transport string
	mapping   []string
	rowFlags
	ways        wayFlags
	program     execFlag
	folder      folderFlags
	table       tableFlags
	times       window
	metrics     metricsFlag
	compression string
	parallel    int
	most        string
	shard       string
	restart     bool
	unordered   bool

	read migrate.Format // what the run reads

	movedBefore int64 // rows that the run has moved that is verified, as its journal says; 0: it says nothing
}

func newMigrateRunCommand() *cobra.Command {
	f := &migrateRun{rowFlags: rowFlags{columns: migrate.DefaultColumns}}
	c := &cobra.Command{
		Use:   "run INPUT --out FILE --from ID --to ID",
		Short: "Move the data keys of a file",
		Long: `Moves the data keys of INPUT, one JSON object a line with the ciphertext in Base64:

  {"id":"42","ciphertext":"...","context":{"app":"pay"},"to":"alias/pay"}

or CSV or TSV below a header with these names. context and to may be missing, and
everything else is carried through. The output has
the same rows in the same order with the new ciphertext, and from and status; a row
that was not moved is there as it was. to names the key of the destination; without
it --map says which, as a rule the one with the same alias.

A file that ends in .gz or .zst is packed with gzip or zstd, and the ending before that
tells the format (keys.csv.zst). INPUT - is standard input, packed or not; a run that was
ended goes on when it is given the same bytes again. --out - is standard output: such a
run has no journal and begins anew; rows that fail are named on standard error.

Between two regions of Meridian data keys travel in batches, sealed to the transport key
of the destination (meridian region transport-key), and every new ciphertext is opened
and compared before it counts. Where one side is another service, --transport-key names
an RSA_2048 key of the destination for ENCRYPT/DECRYPT; a data key has 190 bytes at most
then. The source has to allow exports to either (export.allow, peers).

With --dir DIR --glob PATTERN the rows are files that hold one ciphertext each, in Base64
or as it is. They are replaced where they are, each at once and with its mode, owner and
time, and the old ones are kept beside the journal; or they go to the folder of --out. The
encryption context of FILE is in FILE.context, a JSON object, or as --context says.

--db names a table of PostgreSQL, MySQL or MariaDB in the place of INPUT and --out: its
rows get their new ciphertexts where they are, and only where the old one still is, so
that another writer wins. The old ciphertexts go to JOURNAL.undo first; meridian migrate
rollback puts them back. Rows that are added behind the place that the run has reached
are found by a second run, with another --journal, which keeps what is moved already.

Rows of any other place come from a program of yours (--exec, docs/migrate.md).

The same command, started again, goes on with a run that was ended; one that is done
does nothing more, and --restart begins again. With --shard I/N several machines move
one input: each reads all of it and writes its own part, by the hash of the ids. Rows of
the output are in the order of the input unless --unordered says that they need not be. It
ends with exit code 7 when rows have failed.`,
		Example: `  meridian migrate run keys.jsonl --out keys2.jsonl --from cn-local-1 --to cn-local-2
  zcat keys.csv.gz | meridian migrate run - --format csv --out keys2.csv.zst --from cn-local-1 --to cn-local-2
  meridian migrate run --db env://DB --table data_keys --key id --column wrapped_key --journal keys.journal --from cn-local-1 --to cn-local-2
  meridian migrate run keys.jsonl --out keys2.jsonl --from cn-hangzhou --to cn-local-2 --regions both.yaml --transport-key alias/transport`,
		Args: f.args,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, f.input(args)) },
	}
	f.sides.addTo(c)
	f.output.addTo(c)
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", "`FILE` to write, or the folder for the files of --dir; it must not be there at the first start; - is standard output")
	fl.StringVar(&f.compression, "compression", "", "`KIND` of the output: gzip, zstd or none (default: by the end of its name, .gz or .zst)")
	fl.StringVar(&f.journal, "journal", "", "`FILE` that the run keeps its journal in (default: that of --out, or of --dir, with .journal)")
	fl.IntVar(&f.parallel, "parallel", migrate.DefaultParallel, "`NUMBER` of calls that are under way at once")
	fl.StringVar(&f.most, "max-failures", "0", "`NUMBER` of failed rows after which the run ends, or a part of the rows so far (0.1%); 0: it goes on")
	fl.StringVar(&f.shard, "shard", "", "`I/N`: move only the I-th of N parts of the rows, and leave the others to other runs")
	fl.BoolVar(&f.restart, "restart", false, "begin again: the journal and the output so far get other names (.1, .2 ...)")
	fl.BoolVar(&f.unordered, "unordered", false, "write rows as they are moved, with their number in INPUT as input_row; no row waits for an earlier one")
	f.addIDsTo(c)
	f.addWayTo(c)
	f.ways.addTo(c)
	f.program.addTo(c)
	f.folder.addTo(c)
	f.times.addTo(c)
	f.metrics.addTo(c)
	return c
}

// addWayTo declares the flags that say how rows are read and where they go.
func (f *migrateRun) addWayTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.transport, "transport-key", "", "`KEY` of the destination under which data keys travel in the standard way")
	fl.StringArrayVar(&f.mapping, "map", nil, "`RULE` FROM => TO, which key takes the place of which, by alias, id or ARN; a star matches any text (default: alias/* => alias/*)")
	f.rowFlags.addTo(c)
	f.table.addTo(c)
}

// memoryOfMover has a run collect less often than Go would while its rows are small, and as often while what is under way is
// large; the ids that are compared are beside it.
func memoryOfMover() config.Memory { return config.Memory{GOGC: 200, Limit: 128 << 20} }

func (f *migrateRun) run(c *cobra.Command, path string) error {
	if err := errors.Join(f.check(c), f.checkPaths(path)); err != nil {
		return err
	}
	tuneMemory(memoryOfMover())
	ctx, stop := interruptibleTwice(c.Context(), f.program.kill)
	defer stop()
	rows, err := f.table.openIfGiven(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	p := f.output.printer(c)
	way, err := f.open(ctx, c, p)
	if err != nil {
		return err
	}
	defer way.Close()
	input, err := f.openRows(ctx, c, path)
	if err != nil {
		return err
	}
	defer input.Close()
	if rows != nil {
		input.countRows(rows.Rows())
	}
	cfg := migrate.Config{
		Header: f.header(path, way), Journal: f.journalPath(), Way: way, Tool: versionText(), Parallel: f.parallel,
		Rules: way.rules, Regions: []*migrate.Region{way.from, way.to}, Gate: f.times.gate(p), Unordered: f.unordered, Stop: input.stop,
	}
	if cfg.MaxFailures, cfg.MaxFailureRate, err = parseMaxFailures(f.most); err != nil {
		return err
	}
	if cfg.Shard, err = f.part(); err != nil {
		return err
	}
	switch {
	case rows != nil:
		cfg.Header = f.tableHeader(rows.Name(), rows.KeyOrder(), way)
		cfg.Medium = rows.Medium(way, way.rules, rows.Name(), migrate.UndoPath(f.journal))
	case f.program.given():
		cfg.Medium = f.execMedium(c, p, cfg.Shard)
	case f.folder.given():
		if cfg.Medium, err = f.folderMedium(cfg.Shard); err != nil {
			return err
		}
	default:
		cfg.Medium = f.medium(c, path, input, cfg.Shard)
	}
	if err := f.setAside(p); err != nil {
		return err
	}
	f.warnOfPlaintext(p)
	if f.toStdout() {
		p.out = p.err
		cfg.Failed = func(failures []migrate.Failure) {
			for _, failure := range failures {
				fmt.Fprintln(p.err, failureLine(failure))
			}
		}
	}
	cfg.WasDone = func(h migrate.History) {
		if !p.quiet && len(h.Starts) > 0 {
			began := h.Starts[len(h.Starts)-1].At.Local().Format("2006-01-02 15:04:05")
			fmt.Fprintf(p.err, "there is nothing to do: the run that was started at %s has done all of it; --restart begins again\n", began)
		}
	}
	bar := startMigrateBar(p, input, &cfg)
	metrics, err := f.metrics.start(p, &cfg)
	if err != nil {
		bar.stop()
		return err
	}
	last, err := migrate.Run(ctx, cfg)
	bar.stop()
	metrics.end(last)
	forgotten(p, f.read)
	return f.report(p, way.name, last, tableError(err))
}

// check refuses a command line that does not fit together.
func (f *migrateRun) check(c *cobra.Command) error {
	switch {
	case f.out == "" && !f.program.given() && !f.folder.given() && !f.table.given():
		return usageError("--out FILE says where the rows go")
	case f.parallel < 1 || f.parallel > 1024:
		return usageError("--parallel is 1 to 1024")
	case f.restart && f.toStdout():
		return usageError("--restart: a run to standard output begins anew in any case")
	case !slices.Contains([]migrate.Compression{"", migrate.Gzip, migrate.Zstd, migrate.Plain}, migrate.Compression(f.compression)):
		return usageError("--compression %q: want gzip, zstd or none", f.compression)
	case f.toStdout() && f.journal != "":
		return usageError("--journal: rows that went to standard output cannot be taken back, so such a run has no journal; it begins anew")
	case f.toStdout() && f.output.format != "table":
		return usageError("--output %s: standard output is the rows', as --out - says", f.output.format)
	}
	return errors.Join(f.checkRows(c), f.checkJournal(), f.checkFolder(), f.checkOrder(), f.checkWay(true), f.times.parse(), f.output.check(c))
}

// checkRows refuses what cannot be said of rows, wherever they are.
func (f *migrateRun) checkRows(c *cobra.Command) error {
	return errors.Join(f.rowFlags.check(), f.table.check(c), f.checkExec())
}

// checkTransport refuses a command line without what the standard way needs.
func (f *migrateRun) checkTransport() error {
	if f.transport == "" {
		return usageError("--transport-key KEY names the RSA_2048 key of the destination under which data keys travel; meridian key create --spec RSA_2048 --usage encrypt makes one")
	}
	return nil
}

// toStdout says that the rows go to standard output. What is written there cannot be taken back: the run keeps no journal.
func (f *migrateRun) toStdout() bool { return f.out == stdStream }

// medium is where the rows are and where they go.
func (f *migrateRun) medium(c *cobra.Command, path string, input io.Reader, shard migrate.Shard) *migrate.Files {
	format := func(r io.Reader) (migrate.Format, error) {
		rows, err := f.parse(path, r)
		if err != nil {
			return nil, err
		}
		f.read = f.unique(rows, shard)
		return f.read, nil
	}
	files := migrate.NewFiles(migrate.Unpack(input, path), f.out, format)
	if f.toStdout() {
		files = migrate.NewStream(migrate.Unpack(input, path), c.OutOrStdout(), format)
	}
	if f.compression != "" {
		files.Compression = migrate.Compression(f.compression)
	}
	return files
}

// execMedium is where a program has the rows.
func (f *migrateRun) execMedium(c *cobra.Command, p *printer, shard migrate.Shard) *migrate.Exec {
	e := f.program.medium(c, f.columns)
	e.Silent = tellOfProgram(p)
	e.Look = func(rows migrate.Format) migrate.Format {
		f.read = f.unique(rows, shard)
		return f.read
	}
	return e
}

// part is the shard of this run.
func (f *migrateRun) part() (migrate.Shard, error) {
	if f.shard == "" {
		return migrate.Shard{}, nil
	}
	s, err := migrate.ParseShard(f.shard)
	if err != nil {
		return s, usageError("--shard: %w", err)
	}
	return s, nil
}

// parseMaxFailures reads a number of rows, or a part of them in percent.
func parseMaxFailures(text string) (rows int64, rate float64, err error) {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		if rate, err = strconv.ParseFloat(percent, 64); err == nil && rate > 0 && rate <= 100 { // NaN is neither
			return 0, rate / 100, nil
		}
	} else if rows, err = strconv.ParseInt(text, 10, 64); err == nil && rows >= 0 {
		return rows, 0, nil
	}
	return 0, 0, usageError("--max-failures %q: want a number of rows such as 100, or a part of them such as 0.1%%; 0 is no bound", text)
}

// setAside makes room for a run that begins again.
func (f *migrateRun) setAside(p *printer) error {
	if !f.restart {
		return nil
	}
	names, err := migrate.SetAside(f.journalPath(), f.out)
	if refusesRun(err) {
		return usageError("--restart: %w", err)
	}
	if err != nil {
		return failAfter(err, "--restart: ")
	}
	if len(names) > 0 && !p.quiet {
		fmt.Fprintf(p.err, "set aside: %s\n", strings.Join(names, ", "))
	}
	return nil
}

// journalPath is empty where there is none.
func (f *migrateRun) journalPath() string {
	switch {
	case f.toStdout():
		return ""
	case f.journal != "":
		return f.journal
	}
	return f.out + ".journal"
}

// shardOption is the option of a journal's header that tells of a shard.
const shardOption = "shard"

// header is what makes this run the one that it is.
func (f *migrateRun) header(input string, way *openedWay) migrate.Header {
	options := maps.Clone(way.options)
	maps.Copy(options, f.rowFlags.options(input))
	options["compression"], options[shardOption], options["compared ids"] = f.compression, f.shard, strconv.FormatInt(f.ids, 10)
	if f.folder.given() {
		maps.Copy(options, f.folder.options())
	}
	if f.unordered {
		options["unordered"] = "yes"
	}
	return migrate.Header{Way: way.name, From: f.sides.from, To: f.sides.to, Input: input, Output: f.out, Options: options}
}

// report says what came of the run, and how it goes on.
func (f *migrateRun) report(p *printer, way string, last migrate.Checkpoint, runErr error) error {
	if runErr != nil {
		err := f.sides.callError(runErr)
		switch {
		case errors.Is(runErr, migrate.ErrStopped), errors.Is(runErr, context.Canceled):
			return &exitError{exitInterrupted, fmt.Errorf("stopped after %s rows%s; %s", grouped(uint64(last.Rows)), f.orMore(), f.goesOn())}
		case refusesRun(runErr):
			return usageError("%w", runErr)
		case errors.Is(runErr, migrate.ErrTooManyFailures):
			err = &exitError{exitFailedRows, runErr}
		case errors.Is(runErr, migrate.ErrJournalDamaged):
			err = fmt.Errorf("%s: %w; --restart begins again, and deletes nothing", f.journalPath(), runErr)
		case errors.Is(runErr, migrate.ErrUndoDamaged):
			err = fmt.Errorf("%w; meridian migrate rollback puts back what it still has, and --restart begins again", runErr)
		}
		switch {
		case f.toStdout():
			return failAfter(err, "after %s rows: ", grouped(uint64(last.Rows)))
		case !f.safe(last, runErr):
			return err
		case last.Rows == 0 && f.out != "":
			return err
		case f.out == "":
			return failAfter(err, "after %s rows%s; the same command goes on: ", grouped(uint64(last.Rows)), f.orMore())
		}
		return failAfter(err, "after %s rows, which are safe; the same command goes on: ", grouped(uint64(last.Rows)))
	}
	header := migrate.Header{Output: f.out, Way: way}
	var history migrate.History
	if !f.toStdout() {
		var err error
		if header, history, err = migrate.ReadJournal(f.journalPath()); err != nil {
			return err
		}
	}
	v := viewOf(f.journalPath(), header, last, history)
	if err := p.value(v, func(w io.Writer) { v.table(w) }); err != nil {
		return err
	}
	if v.Rows == 0 && !p.quiet {
		fmt.Fprintln(p.err, "there were no rows to move: look whether the input is the one that was meant")
	}
	if v.Failed > 0 {
		return &exitError{exitFailedRows, fmt.Errorf("%d of %d rows were not moved", v.Failed, v.Rows-v.Others)}
	}
	return nil
}

// safe says that what the last checkpoint covers is there. Nobody knows where the journal is damaged, or somebody has
// changed the output.
func (f *migrateRun) safe(last migrate.Checkpoint, runErr error) bool {
	switch {
	case errors.Is(runErr, migrate.ErrJournalDamaged), errors.Is(runErr, migrate.ErrUndoDamaged):
		return false
	case f.out == "": // rows are replaced where they are
		return true
	}
	output, err := os.Stat(f.out)
	return err == nil && (output.IsDir() || output.Size() >= last.Output)
}

// orMore says that rows may be written which no checkpoint covers yet, where others see them.
func (f *migrateRun) orMore() string {
	if f.out == "" {
		return " that the journal has, and maybe more"
	}
	return ""
}

// goesOn says what becomes of a run that was stopped.
func (f *migrateRun) goesOn() string {
	if f.toStdout() {
		return "the output is not whole"
	}
	return "the same command goes on"
}
