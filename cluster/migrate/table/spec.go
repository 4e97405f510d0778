package table

import (
	"errors"
	"fmt"
	"strings"
)

// Spec says where in a database the data keys are. Names are taken as they stand: they are quoted, never folded.
type Spec struct {
	Table   string // with or without its schema; a part in the quotes of the dialect may hold dots
	Key     string // column that names a row: unique and never null
	Blob    string // column with the ciphertext blob: text in Base64, or binary
	Context string // column with the encryption context as a JSON object; empty: there is none
	To      string // column that names the destination's key; empty: there is none
	// Where is SQL of whoever runs this: a condition that rows have to meet. Empty: all rows.
	Where string
	// Page is how many rows are read at a time; default 1000.
	Page int
}

const defaultPage = 1000

// Check reports every mistake that shows without a database.
func (s Spec) Check() error {
	var errs []error
	for _, n := range []struct{ what, name string }{{"table", s.Table}, {"key column", s.Key}, {"column of the ciphertext", s.Blob}} {
		if err := checkName(n.name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.what, err))
		}
	}
	seen := map[string]bool{}
	for _, name := range []string{s.Key, s.Blob, s.Context, s.To} {
		if name != "" && seen[name] {
			errs = append(errs, fmt.Errorf("column %q stands for two things", name))
		}
		seen[name] = true
	}
	if s.Where != "" && strings.TrimSpace(s.Where) == "" {
		errs = append(errs, errors.New("the condition is empty"))
	}
	return errors.Join(errs...)
}
