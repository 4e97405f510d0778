package main

import (
	"errors"
	"io/fs"

	"meridian/cluster/migrate"
)

// checkJournal wants a journal named where a run writes no file that it could be beside.
func (f *migrateRun) checkJournal() error {
	switch {
	case f.journal != "":
		return nil
	case f.table.given():
		return usageError("--journal FILE keeps how far the run is, and %s the old ciphertexts", migrate.UndoPath("FILE"))
	case f.program.given():
		return usageError("--exec needs --journal FILE: there is no output beside which it could be")
	}
	return nil
}

// readJournal reads the journal of a run that may be going on.
func readJournal(path string) (migrate.Header, migrate.History, error) {
	header, history, _, err := observeJournal(path, nil)
	return header, history, err
}

// observeJournal is readJournal, says whether the run is going on, and calls each, if it is not nil, with every failed row.
func observeJournal(path string, each func(migrate.Failure) error) (migrate.Header, migrate.History, migrate.Pulse, error) {
	if path == "" {
		return migrate.Header{}, migrate.History{}, migrate.Pulse{}, usageError("--journal FILE says which run")
	}
	header, history, pulse, err := migrate.Observe(path, each)
	return header, history, pulse, journalError(path, err)
}

// journalError says which journal cannot be read.
func journalError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &exitError{exitNotFound, err}
	case errors.As(err, new(*fs.PathError)): // it may not be read, or is a folder
		return usageError("%w", err)
	}
	return failAfter(err, "%s: ", path)
}
