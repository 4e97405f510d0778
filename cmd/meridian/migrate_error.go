package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"meridian/cluster/migrate"
)

// callError is callError for what a call to one of the sides failed with.
func (f *migrateFlags) callError(err error) error {
	var silent *migrate.NoAnswerError
	var called *migrate.RegionError
	switch {
	case errors.As(err, &silent):
		hint := ""
		if silent.Last != nil {
			hint = portHint(silent.Last)
		}
		return &exitError{exitUnavailable, fmt.Errorf("%w. Check the addresses in the file of regions and that the servers run%s", silent, hint)}
	case errors.As(err, &called):
		return callError(err, called.Region, f.keySources[called.Region], time.Now())
	}
	return callError(err, "", "", time.Now())
}

// tellOf says on standard error that a region does not answer.
func tellOf(p *printer) func(*migrate.NoAnswerError) {
	if p.quiet {
		return nil
	}
	return func(silent *migrate.NoAnswerError) {
		why := ""
		if silent.Last != nil {
			why = ": " + silent.Last.Error()
		}
		fmt.Fprintln(p.err, printable(fmt.Sprintf("region %s does not answer, and is asked on%s", silent.Region, why)))
	}
}

// refusesRun says that a run was refused for what it was asked to do, before it did anything.
func refusesRun(err error) bool {
	return slices.ContainsFunc([]error{
		migrate.ErrOtherRun, migrate.ErrInputChanged, os.ErrExist, migrate.ErrHeader, migrate.ErrNoContexts, migrate.ErrRolledBack,
		migrate.ErrInUse, migrate.ErrOutputInUse, migrate.ErrFolderInUse, migrate.ErrFolderInside,
		migrate.ErrOutputChanged,
	}, func(refusal error) bool { return errors.Is(err, refusal) })
}
