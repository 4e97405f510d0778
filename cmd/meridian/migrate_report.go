package main

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

func newMigrateReportCommand() *cobra.Command {
	var output outputFlags
	var out string
	failures := 100
	c := &cobra.Command{
		Use:   "report JOURNAL",
		Short: "Tell what a run did, for the record",
		Long: `Writes a page (Markdown), or JSON and YAML by --output, of what the journal of a run tells:
counts by the key and version that data keys were sealed under and by the one that they
are under now, failures with their reasons, each start of the run, the first and the last
request id of each region, whether data keys were ever in clear outside of the regions,
and the digests of input and output. It asks no region, and is not signed.`,
		Example: `  meridian migrate report keys2.jsonl.journal --out report.md
  meridian migrate report keys2.jsonl.journal --output json`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := output.check(c); err != nil {
			return err
		}
		if failures < 0 || failures > migrate.MaxListed {
			return usageError("--failures is 0 to %d; meridian migrate status %s --list-failed names all", migrate.MaxListed, shellQuote(args[0]))
		}
		if err := writable([]namedFile{{"--out", out}}); err != nil {
			return err
		}
		ctx, stop := interruptible(c.Context())
		defer stop()
		header, history, pulse, err := observeJournal(args[0], nil)
		if err != nil {
			return err
		}
		if err := differ([]namedFile{{"JOURNAL", args[0]}, {"its undo file", migrate.UndoPath(args[0])}, {"the input", header.Input}, {"the output", header.Output}, {"--out", out}}); err != nil {
			return err
		}
		report, err := migrate.NewReport(ctx, args[0], header, history, failures)
		switch {
		case err != nil && ctx.Err() != nil:
			return &exitError{exitInterrupted, errors.New("interrupted")}
		case err != nil:
			return err
		}
		report.Tool, report.Pulse = versionText(), pulse
		return writeReport(output.printer(c), out, report)
	}
	output.addTo(c)
	c.Flags().StringVar(&out, "out", "", "`FILE` to write the report to (default: standard output)")
	c.Flags().IntVar(&failures, "failures", failures, "`NUMBER` of failed rows that are named; all are counted, and meridian migrate status --list-failed names all")
	return c
}

// writeReport writes a report to a file, whole or not at all, or to standard output.
func writeReport(p *printer, path string, report migrate.Report) error {
	var text bytes.Buffer
	to := *p
	to.out = &text
	err := to.value(report, func(w io.Writer) { _ = report.Markdown(w) }) // into memory
	if err != nil {
		return err
	}
	if path == "" || path == stdStream {
		_, err = p.out.Write(text.Bytes())
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe or a device is written to, not replaced
		return os.WriteFile(path, text.Bytes(), 0o600)
	}
	return renameio.WriteFile(path, text.Bytes(), 0o600)
}
