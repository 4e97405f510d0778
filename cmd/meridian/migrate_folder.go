package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
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
	fl := c.Flags()
	fl.StringVar(&f.dir, "dir", "", "`DIR` of files that hold one ciphertext each, in it and below it")
	fl.StringVar(&f.glob, "glob", "", "`PATTERN` of their names, or with a slash of their paths below DIR")
	fl.StringArrayVar(&f.context, "context", nil, "`NAME=VALUE` of the encryption context of files of --dir that have no FILE.context beside them")
	fl.StringVar(&f.key, "to-key", "", "`KEY` of the destination for all files of --dir (default: as --map says)")
}

// asked says that the rows are files of a folder. Flags for folders without --dir are a mistake.
func (f *folderFlags) asked(c *cobra.Command) (bool, error) {
	if f.dir != "" {
		return true, nil
	}
	for _, name := range []string{"glob", "context", "to-key"} {
		if c.Flags().Changed(name) {
			return false, usageError("--%s: say which folder with --dir", name)
		}
	}
	return false, nil
}

// check refuses a command line that does not fit together.
func (f *folderFlags) check(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%q: the rows are the files of --dir, so there is no INPUT", args[0])
	}
	for _, name := range []string{"format", "compression", "compare-ids", "col-ciphertext", "col-id", "col-context", "col-to"} {
		if flag := c.Flags().Lookup(name); flag != nil && flag.Changed {
			return usageError("--%s is for files of rows; those of --dir hold one ciphertext each", name)
		}
	}
	if info, err := os.Stat(f.dir); err != nil {
		return usageError("--dir: %w", err)
	} else if !info.IsDir() {
		return usageError("--dir: %s is no folder", f.dir)
	}
	if _, err := filepath.Match(f.glob, ""); err != nil || f.glob == "" {
		return usageError("--glob PATTERN says which files of --dir, such as '*.dek'")
	}
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

// options are what a journal's header says of the folder: not the context itself, but whether it is the same.
func (f *folderFlags) options(cfg migrate.FolderConfig) (map[string]string, error) {
	text, err := json.Marshal(cfg.Context.Pairs())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return map[string]string{"glob": f.glob, "context (its SHA-256)": hex.EncodeToString(sum[:8]), "key": f.key}, nil
}

// folderJournal is where a run over a folder keeps its journal if nobody says: beside the folder that it writes.
func folderJournal(dir string) (string, error) {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if filepath.Dir(whole) == whole {
		return "", usageError("--journal FILE keeps how far the run is; beside %s there is no place for it", dir)
	}
	return whole + ".journal", nil
}

// runFolder moves files that hold one ciphertext each.
func (f *migrateRun) runFolder(c *cobra.Command, args []string) error {
	if f.toStdout() {
		return usageError("--out -: the files of --dir go to a folder, or without --out they are replaced where they are")
	}
	for _, err := range []error{f.folder.check(c, args), f.checkBounds(), f.checkTransport(c)} {
		if err != nil {
			return err
		}
	}
	if f.journal == "" {
		written := f.folder.dir
		if f.out != "" {
			written = f.out
		}
		var err error
		if f.journal, err = folderJournal(written); err != nil {
			return err
		}
	}
	folder, err := f.folder.config(f.out, f.journal)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(c.Context())
	defer stop()
	way, closeBoth, err := f.way(ctx, c)
	if err != nil {
		return err
	}
	defer closeBoth()
	cfg := migrate.Config{Header: f.header(f.folder.dir, way.Transport()), Journal: f.journal, Medium: migrate.NewFolder(folder), Way: way, Parallel: f.parallel}
	options, err := f.folder.options(folder)
	if err != nil {
		return err
	}
	for name, value := range options {
		cfg.Header.Options[name] = value
	}
	for _, ofRows := range []string{"format", "compression", "compared ids", "columns"} {
		delete(cfg.Header.Options, ofRows)
	}
	p := f.output.printer(c)
	if err := f.bounds(&cfg, p); err != nil {
		return err
	}
	bar := startTableBar(p, 0, &cfg)
	last, err := migrate.Run(ctx, cfg)
	bar.stop()
	return f.report(p, last, folderError(err))
}

// folderError gives errors of a folder their exit codes.
func folderError(err error) error {
	if errors.Is(err, migrate.ErrRolledBack) {
		return usageError("%w", err)
	}
	return err
}

// ofFolder says that a journal is of a run that replaces the files of a folder.
func ofFolder(h migrate.Header) bool { return h.Options["glob"] != "" && h.Output == "" }

// planFolder tells what a run over a folder would do.
func (f *migrateRun) planFolder(ctx context.Context, c *cobra.Command, args []string) (rows migrate.Rows, name string, closeRows func() error, err error) {
	if err := f.folder.check(c, args); err != nil {
		return nil, "", nil, err
	}
	cfg, err := f.folder.config("", "")
	if err != nil {
		return nil, "", nil, err
	}
	folder := migrate.NewFolder(cfg)
	if err := folder.Open(); err != nil {
		return nil, "", nil, usageError("--dir: %w", err)
	}
	return folderRows{ctx, folder}, f.folder.dir, folder.Close, nil
}

// folderRows are the files of a folder for who reads and does not wait.
type folderRows struct {
	ctx    context.Context
	folder *migrate.Folder
}

// Next returns the next file.
func (r folderRows) Next() (*migrate.Row, error) { return r.folder.Next(r.ctx) }
