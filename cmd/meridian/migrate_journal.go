package main

import (
	"errors"
	"io/fs"

	"meridian/cluster/migrate"
)

// readJournal reads the journal of a run that may be going on.
func readJournal(path string) (migrate.Header, migrate.History, error) {
	if path == "" {
		return migrate.Header{}, migrate.History{}, usageError("--journal FILE says which run")
	}
	header, history, err := migrate.ReadJournal(path)
	return header, history, journalError(path, err)
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
