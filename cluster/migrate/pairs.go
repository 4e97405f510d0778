package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Pairs reads rows as they were and as they are after a move, side by side.
type Pairs interface {
	// Next returns a pair, [io.EOF] after the last. Errors: [ErrRows], and those of both sides.
	Next(ctx context.Context) (before, after *Row, err error)
}

// ErrRows says that an output does not have the rows of its input.
var ErrRows = errors.New("input and output have different rows")

// formatPairs are the rows of two files.
type formatPairs struct {
	before, after Format
	rows          int64
}

// PairFormats reads an input and its output side by side. Rows are held against each other by their ids.
func PairFormats(before, after Format) Pairs { return &formatPairs{before: before, after: after} }

func (p *formatPairs) Next(context.Context) (before, after *Row, err error) {
	before, err = p.before.Next()
	after, afterErr := p.after.Next()
	switch {
	case err == io.EOF && afterErr == io.EOF:
		return nil, nil, io.EOF
	case err == io.EOF || afterErr == io.EOF:
		return nil, nil, fmt.Errorf("%w: one of them ends after %d rows", ErrRows, p.rows)
	case err != nil || afterErr != nil:
		return nil, nil, errors.Join(err, afterErr)
	case !wellFormed(before):
		if !bytes.Equal(carriedText(before), carriedText(after)) {
			return nil, nil, fmt.Errorf("%w: row %d, which cannot be read, is another one in the output", ErrRows, before.Number)
		}
		after = before // what is added to a header may make a good row of it
	case before.ID != after.ID:
		return nil, nil, fmt.Errorf("%w: row %d is another one in the output", ErrRows, before.Number)
	}
	p.rows++
	return before, after, nil
}

// wellFormed says that a row was read well enough for the output to say what came of it; else it is carried through as it is.
func wellFormed(row *Row) bool {
	switch r := row.carried.(type) {
	case *jsonRow:
		return r.parsed
	case *record:
		return r.whole
	}
	return false
}

// carriedText is the text of a row as it stood in its file.
func carriedText(row *Row) []byte {
	switch r := row.carried.(type) {
	case *jsonRow:
		return r.line
	case *record:
		return r.text
	}
	return nil
}
