package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"meridian/cluster/migrate"
	"meridian/crypto"
)

// folderFlags say which files hold a data key each.
type folderFlags struct {
	dir, glob string
	context   []string
	key       string
}

func (f *folderFlags) addTo(c *cobra.Command) {
	f.addContextTo(c)
	c.Flags().StringVar(&f.key, "to-key", "", "`KEY` of the destination for all files of --dir (default: as --map says)")
}

// addContextTo declares the flags of verbs that open the files, and seal nothing.
func (f *folderFlags) addContextTo(c *cobra.Command) {
	f.addDirTo(c)
	c.Flags().StringArrayVar(&f.context, "context", nil, "`NAME=VALUE` of the encryption context of files of --dir that have no FILE.context beside them")
}

// addDirTo declares the flags that say which files.
func (f *folderFlags) addDirTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.dir, "dir", "", "`DIR` of files that hold one ciphertext each, in it and below it")
	fl.StringVar(&f.glob, "glob", "", "`PATTERN` of their names, or with a slash of their paths below DIR")
}

// given says that the rows are files of a folder.
func (f *folderFlags) given() bool { return f.dir != "" }

// args wants an INPUT, or what stands in its place.
func (f *migrateRun) args(c *cobra.Command, args []string) error {
	switch {
	case f.table.given():
		return f.table.args(c, args)
	case f.folder.given() && f.program.given():
		return usageError("rows come from --dir or from --exec, not from both")
	case f.folder.given() && len(args) > 0:
		return usageError("%q: the rows are the files of --dir, so there is no INPUT", args[0])
	case f.folder.given():
		return f.folder.check(c)
	}
	if err := withoutDir(c); err != nil {
		return err
	}
	return f.program.args(c, args)
}

// withoutDir refuses flags that say nothing without a folder.
func withoutDir(c *cobra.Command) error {
	for _, name := range []string{"glob", "context", "to-key"} {
		if c.Flags().Changed(name) {
			return usageError("--%s: say which folder with --dir", name)
		}
	}
	return nil
}

// input is what the command line names as the input.
func (f *migrateRun) input(args []string) string {
	if f.folder.given() {
		return f.folder.dir
	}
	return f.program.input(args)
}

// check refuses what does not go with a folder, or is not there.
func (f *folderFlags) check(c *cobra.Command) error {
	for _, name := range []string{"format", "compression", "compare-ids", "col-ciphertext", "col-id", "col-context", "col-to", "col-context-to", "map-context"} {
		if flag := c.Flags().Lookup(name); flag != nil && flag.Changed {
			return usageError("--%s is for files of rows; those of --dir hold one ciphertext each, and keep their contexts", name)
		}
	}
	return f.checkDir()
}

// checkDir refuses a folder that is not there, and a pattern that is none.
func (f *folderFlags) checkDir() error {
	if info, err := os.Stat(f.dir); err != nil {
		return usageError("--dir: %w", err)
	} else if !info.IsDir() {
		return usageError("--dir: %s is no folder", f.dir)
	}
	if f.glob == "" {
		return usageError("--glob PATTERN says which files of --dir, such as '*.dek'")
	}
	if _, err := path.Match(f.glob, ""); err != nil {
		return usageError("--glob %q: %w", f.glob, err)
	}
	f.dir = filepath.Clean(f.dir) // DIR/ and DIR are one folder, and one run
	return nil
}

// config is the folder of a run.
func (f *folderFlags) config(out, journal string) (migrate.FolderConfig, error) {
	cfg := migrate.FolderConfig{Dir: f.dir, Glob: f.glob, Out: out, Journal: journal, Input: f.dir, To: f.key}
	params := map[string]string{}
	if err := addContext(params, "context", f.context); err != nil {
		return cfg, err
	}
	var err error
	if cfg.Context, err = crypto.ParseContext([]byte(params["context"])); err != nil {
		return cfg, usageError("--context: %w", err)
	}
	return cfg, nil
}

// Options of a journal's header that tell of a folder.
const (
	globOption    = "glob"
	contextOption = "context"
)

// options are what a journal's header says of the folder.
func (f *folderFlags) options() map[string]string {
	return map[string]string{globOption: f.glob, contextOption: hiddenValues(f.context), "key": f.key}
}

// findJournal says where a run over a folder keeps its journal if nobody does: beside the folder that it writes.
func (f *migrateRun) findJournal() error {
	if !f.folder.given() || f.journal != "" {
		return nil
	}
	whole, err := filepath.Abs(cmp.Or(f.out, f.folder.dir))
	if err != nil {
		return err
	}
	if filepath.Dir(whole) == whole {
		return usageError("--journal FILE keeps how far the run is; beside %s there is no place for it", whole)
	}
	f.journal = whole + ".journal"
	return nil
}

// checkFolder refuses what does not go with a folder.
func (f *migrateRun) checkFolder() error {
	if f.folder.given() && f.toStdout() {
		return usageError("--out -: the files of --dir go to a folder, or without --out they are replaced where they are")
	}
	if f.folder.given() && f.out != "" {
		f.out = filepath.Clean(f.out)
	}
	return f.findJournal()
}

// folderMedium is the folder of a run.
func (f *migrateRun) folderMedium(shard migrate.Shard) (migrate.Medium, error) {
	cfg, err := f.folder.config(f.out, f.journal)
	if err != nil {
		return nil, err
	}
	cfg.Shared = shard.Count > 1
	return migrate.NewFolder(cfg), nil
}

// planFolder reads the files of a folder for a plan.
func (f *migrateRun) planFolder(ctx context.Context) (rows migrate.Format, end func() error, err error) {
	cfg, err := f.folder.config("", "")
	if err != nil {
		return nil, nil, err
	}
	folder, err := openFolder(cfg)
	if err != nil {
		return nil, nil, usageError("--dir: %w", err)
	}
	return folder.Rows(ctx), folder.Close, nil
}

// openFolder opens a folder for who makes no run over it.
func openFolder(cfg migrate.FolderConfig) (*migrate.Folder, error) {
	folder := migrate.NewFolder(cfg)
	return folder, folder.Open()
}

// count adds the files to a census.
func (f *folderFlags) count(c *cobra.Command, census *migrate.Census) error {
	ctx, stop := interruptible(c.Context())
	defer stop()
	folder, err := openFolder(migrate.FolderConfig{Dir: f.dir, Glob: f.glob})
	if err != nil {
		return usageError("--dir: %w", err)
	}
	if err := errors.Join(census.Add(folder.Rows(ctx)), folder.Close()); err != nil {
		return failAfter(err, "%s: ", f.dir)
	}
	return nil
}
