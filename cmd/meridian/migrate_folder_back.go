package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"meridian/cluster/migrate"
)

// ofFolder says that the rows of a run are files of a folder.
func ofFolder(h migrate.Header) bool { return h.Options[globOption] != "" }

// folderOfRun opens the folder that a run has changed in place.
func folderOfRun(h migrate.Header, journal string) (*migrate.Folder, error) {
	shard, _ := migrate.ParseShard(h.Options[shardOption]) // none is all of it
	folder, err := openFolder(migrate.FolderConfig{Dir: h.Input, Glob: h.Options[globOption], Journal: journal, Shared: shard.Count > 1})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &exitError{exitNotFound, fmt.Errorf("%w: the journal names the folder as it was given to the run, so start this where that was started", err)}
	}
	return folder, err
}

// folderPairs are the files before and after the run: those of both folders, or what a run in place has replaced.
func (f *migrateRun) folderPairs() (migrate.Pairs, func(), error) {
	cfg, err := f.folder.config("", "")
	if err != nil {
		return nil, nil, err
	}
	shard, err := f.part()
	if err != nil {
		return nil, nil, err
	}
	var undo migrate.UndoFile
	if f.out == "" {
		if undo, err = f.sameFolder(); err != nil {
			return nil, nil, err
		}
		cfg.Input = undo.Input
	}
	folder, err := openFolder(cfg)
	if err != nil {
		return nil, nil, usageError("--dir: %w", err)
	}
	if f.out == "" {
		pairs, err := folder.Pairs(undo)
		if err != nil {
			return nil, nil, errors.Join(err, folder.Close())
		}
		return pairs, func() { _, _ = pairs.Close(), folder.Close() }, nil // they were only read
	}
	cfg.Dir = f.out
	moved, err := openFolder(cfg)
	if err != nil {
		return nil, nil, errors.Join(usageError("--out: %w", err), folder.Close())
	}
	return migrate.PairFolders(folder, moved, shard), func() { _, _ = folder.Close(), moved.Close() }, nil // they were only read
}

// sameFolder wants a command line that names the folder of the journal as the run did, and returns what the run has changed.
func (f *migrateRun) sameFolder() (undo migrate.UndoFile, err error) {
	h, history, err := readJournal(f.journal)
	if err != nil {
		return undo, err
	}
	options := f.folder.options()
	switch {
	case !ofFolder(h):
		return undo, usageError("%s is the journal of a run over %q, and not over a folder", f.journal, h.Input)
	case h.Output != "":
		return undo, usageError("the run wrote another folder: say --out %s", h.Output)
	case filepath.Clean(h.Input) != filepath.Clean(f.folder.dir):
		return undo, usageError("the journal is of %q, and --dir is %q", h.Input, f.folder.dir)
	case h.Options[globOption] != options[globOption]:
		return undo, usageError("the run had --glob %q", h.Options[globOption])
	case h.Options[contextOption] != options[contextOption]:
		return undo, usageError("the run had another --context")
	}
	f.movedBefore = history.Last().Counts.Moved
	return migrate.UndoFileOf(f.journal, h, history), nil
}
