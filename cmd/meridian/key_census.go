package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
)

func newKeyCensusCommand(v *clientVerb) *cobra.Command {
	f := &rowFlags{columns: migrate.DefaultColumns}
	table, folder := &tableFlags{}, &folderFlags{}
	c := &cobra.Command{
		Use:   "census FILE...",
		Short: "Count the ciphertexts of files, a folder or a table by key and version",
		Long: `Reads the headers of the ciphertexts in files of rows (JSON lines, CSV or TSV, packed with
gzip or zstd or not; - is standard input), in a folder of files that hold one ciphertext
each, or in a table and counts them by region, key and version. It asks no region and opens
nothing: how many data keys still hang on a version shows before it is given up.`,
		Example: `  meridian key census keys.jsonl archive.csv --output json
  meridian key census --dir keys --glob '*.dek'
  meridian key census --db env://DB --table data_keys --key id --column wrapped_key`,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := v.output.check(c); err != nil {
			return err
		}
		if err := errors.Join(f.check(), table.check(c)); err != nil {
			return err
		}
		var census migrate.Census
		if err := countPlaces(c, &census, f, folder, table, args); err != nil {
			return err
		}
		p := v.output.printer(c)
		return p.value(census, func(w io.Writer) {
			var cells [][]string
			for _, n := range census.Counts {
				cells = append(cells, []string{n.Key, n.Version, n.Region, grouped(uint64(n.Blobs))})
			}
			p.table(w, []string{"KEY", "VERSION", "REGION", "CIPHERTEXTS"}, cells)
			if census.NotBlobs > 0 {
				fmt.Fprintf(w, "%s of %s rows hold no ciphertext of Meridian\n", grouped(uint64(census.NotBlobs)), grouped(uint64(census.Rows)))
			}
		})
	}
	f.addTo(c)
	folder.addDirTo(c)
	table.addTo(c)
	return c
}

// countPlaces counts in the one kind of places that the command line names.
func countPlaces(c *cobra.Command, census *migrate.Census, files *rowFlags, folder *folderFlags, table *tableFlags, args []string) error {
	switch {
	case table.given() && len(args) > 0:
		return usageError("%s: the ciphertexts are in files or in the table of --db, not in both", args[0])
	case table.given() && folder.given():
		return usageError("the ciphertexts are in the folder of --dir or in the table of --db, not in both")
	case table.given():
		return table.count(c, census)
	case folder.given() && len(args) > 0:
		return usageError("%s: the ciphertexts are in files of rows or in the folder of --dir, not in both", args[0])
	case folder.given():
		if err := folder.check(c); err != nil {
			return err
		}
		return folder.count(c, census)
	}
	if err := withoutDir(c); err != nil {
		return err
	}
	if len(args) == 0 {
		return usageError("name files, a folder with --dir, or a table with --db")
	}
	for _, path := range args {
		if err := files.count(c, census, path); err != nil {
			return err
		}
	}
	return nil
}

// count adds the rows of a file.
func (f *rowFlags) count(c *cobra.Command, census *migrate.Census, path string) error {
	file, err := openInput(c.Context(), c, path)
	if err != nil {
		return err
	}
	defer file.Close()
	rows, err := f.rows(path, file)
	if err == nil {
		err = census.Add(rows)
	}
	if err != nil {
		return failAfter(err, "%s: ", path)
	}
	return nil
}
