package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

// rowFlags say how files of rows are read.
type rowFlags struct {
	format  string
	columns migrate.Columns
	ids     int64
}

func (f *rowFlags) addTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.format, "format", "", "`FORMAT` of the rows: jsonl, csv or tsv (default: by the end of the file's name, else jsonl)")
	fl.StringVar(&f.columns.Blob, "col-ciphertext", f.columns.Blob, "`NAME` of the member or column with the ciphertext")
	fl.StringVar(&f.columns.ID, "col-id", f.columns.ID, "`NAME` of the one that names the row")
	fl.StringVar(&f.columns.Context, "col-context", f.columns.Context, "`NAME` of the one with the encryption context")
	fl.StringVar(&f.columns.ContextTo, "col-context-to", f.columns.ContextTo, "`NAME` of the one with the encryption context that the new ciphertext is to have")
	fl.StringVar(&f.columns.To, "col-to", f.columns.To, "`NAME` of the one that names the key of the destination")
}

// columnFlags are the flags that name columns, and the names.
func (f *rowFlags) columnFlags() map[string]*string {
	return map[string]*string{
		"col-ciphertext": &f.columns.Blob, "col-id": &f.columns.ID, "col-context": &f.columns.Context, "col-context-to": &f.columns.ContextTo,
		"col-to": &f.columns.To,
	}
}

// check refuses one name for two columns, for the one would be read, or written, as the other; and a number that is none.
func (f *rowFlags) check() error {
	if f.ids < 0 {
		return usageError("--compare-ids is 0 or more")
	}
	of := map[string]string{}
	flags := f.columnFlags()
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		column := *flags[name]
		if other := of[column]; other != "" && column != "" {
			return usageError("--%s and --%s are one column, %q: give them different names", other, name, column)
		}
		of[column] = name
	}
	return nil
}

// options are what a journal's header says of how the rows of a file are read.
func (f *rowFlags) options(input string) map[string]string {
	options := map[string]string{formatOption: f.formatOf(input)}
	for name, column := range f.columnFlags() {
		options[name] = *column
	}
	return options
}

// asRun takes from a journal's header what no flag has said.
func (f *rowFlags) asRun(c *cobra.Command, h migrate.Header) {
	if f.format == "" {
		f.format = h.Options[formatOption]
	}
	for name, column := range f.columnFlags() {
		if had, ok := h.Options[name]; ok && !c.Flags().Changed(name) {
			*column = had
		}
	}
}

// formatOption is the option of a journal's header that tells of the format.
const formatOption = "format"

// addIDsTo declares the flag of verbs that look for duplicates.
func (f *rowFlags) addIDsTo(c *cobra.Command) {
	c.Flags().Int64Var(&f.ids, "compare-ids", migrate.DefaultIDs, "`NUMBER` of ids that are remembered to find rows with the id of an earlier one, 12 bytes of memory each; 0: duplicates are not looked for")
}

// unique finds duplicates in rows.
func (f *rowFlags) unique(rows migrate.Format, shard migrate.Shard) migrate.Format {
	if f.ids == 0 {
		return rows
	}
	return migrate.NewUnique(rows, shard, f.ids)
}

// forgotten says how many ids could not be compared with all others.
func forgotten(p *printer, rows migrate.Format) {
	if u, ok := rows.(*migrate.Unique); ok && u.Forgotten > 0 && !p.quiet {
		fmt.Fprintf(p.err, "%s ids were not compared with each other: --compare-ids bounds how many are\n", grouped(uint64(u.Forgotten)))
	}
}

// formatOf is the format of a file of rows, packed or not.
func (f *rowFlags) formatOf(path string) string {
	if f.format != "" {
		return f.format
	}
	_, inner := migrate.CompressionOf(path)
	switch end := strings.TrimPrefix(filepath.Ext(inner), "."); end {
	case "csv", "tsv":
		return end
	}
	return "jsonl"
}

// rows reads the rows of a file, which may be packed.
func (f *rowFlags) rows(path string, r io.Reader) (migrate.Format, error) {
	return f.parse(path, migrate.Unpack(r, path))
}

// parse reads rows in the format that a file of this name has.
func (f *rowFlags) parse(path string, r io.Reader) (migrate.Format, error) {
	switch format := f.formatOf(path); format {
	case "jsonl":
		return migrate.NewJSONLines(r, f.columns), nil
	case "csv":
		return migrate.NewCSV(r, ',', f.columns)
	case "tsv":
		return migrate.NewCSV(r, '\t', f.columns)
	default:
		return nil, usageError("--format %q: want jsonl, csv or tsv", format)
	}
}

// checkOrder refuses what does not go with rows in another order.
func (f *migrateRun) checkOrder() error {
	switch {
	case !f.unordered:
		return nil
	case f.program.given() || f.folder.given() || f.table.given():
		return usageError("--unordered is for files of rows: those of --dir, --db and --exec stay where they are")
	case slices.Contains([]string{f.columns.ID, f.columns.Blob, f.columns.Context, f.columns.ContextTo, f.columns.To}, migrate.ColumnInputRow):
		return usageError("--unordered writes the number of a row as %s: no --col-* can have that name", migrate.ColumnInputRow)
	}
	f.columns.Numbered = true
	return nil
}
