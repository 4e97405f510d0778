package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	// ErrUnfit says that a table cannot be moved as it is, and why.
	ErrUnfit = errors.New("this table cannot be moved")
	// ErrNoTable says that a table or column is not there, or not for this user.
	ErrNoTable = errors.New("not found")
)

// Error is what a database has answered, or that it did not.
type Error struct {
	Doing  string
	Away   bool // it cannot be reached, or does not serve now, or others hold the table all the time
	Denied bool // it does not let this user
	err    error
}

func (e *Error) Error() string { return e.Doing + ": " + e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// failure tells what was done when a database failed. What is an error of ours, or says that ctx ended, stays as it is.
func failure(db database, doing string, err error) error {
	var known *Error
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, ErrUnfit) || errors.Is(err, ErrNoTable) || errors.As(err, &known) {
		return err
	}
	judged := db.judge(err)
	switch judged {
	case troubleCut:
		err = fmt.Errorf("the server ended the statement each time, for a time limit of its own or because somebody asked it to: %w", err)
	case troubleBusy:
		err = fmt.Errorf("another transaction holds it all the time, as LOCK TABLE and ALTER TABLE do; try again when that has ended: %w", err)
	}
	return &Error{Doing: doing, Away: judged.passes(), Denied: judged == troubleDenied, err: err}
}

// conditionError says what is wrong with a condition, unless it is the database that does not answer.
func conditionError(db database, err error) error {
	if db.judge(err).passes() || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: the condition: %w", ErrUnfit, err)
}

// keyNotUnique says what is wrong with a key of which no index says that it is unique.
func keyNotUnique(key, primary string) error {
	switch {
	case strings.Contains(primary, ", "):
		return fmt.Errorf("%w: column %q is not unique by itself. The primary key has several columns (%s), which is not supported: name a column with a unique index of its own",
			ErrUnfit, key, primary)
	case primary != "":
		return fmt.Errorf("%w: no unique index says that column %q names a row; the primary key is %s", ErrUnfit, key, primary)
	}
	return fmt.Errorf("%w: no unique index over column %q alone, whole and always valid, says that it names a row", ErrUnfit, key)
}

// keyGenerated says what is wrong with a key that the database computes.
func keyGenerated(key string) error {
	return fmt.Errorf("%w: the key column %q is generated from other columns, and may change when a row is written; name another unique column", ErrUnfit, key)
}

// noColumn says which columns there are.
func noColumn[C any](name string, columns map[string]C) error {
	var names []string
	for n := range columns {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Errorf("%w: there is no column %q; there are %s", ErrNoTable, name, strings.Join(names, ", "))
}

// checkText refuses a column that is there for its text and has none.
func checkText[C any](name, types string, columns map[string]C, typeOf func(C) string) error {
	if name == "" {
		return nil
	}
	c, ok := columns[name]
	if !ok {
		return noColumn(name, columns)
	}
	if is := typeOf(c); !slices.Contains(strings.Fields(types), is) {
		return fmt.Errorf("%w: column %q is of type %s; want %s", ErrUnfit, name, is, strings.Join(strings.Fields(types), ", "))
	}
	return nil
}
