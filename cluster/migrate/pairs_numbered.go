package migrate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"meridian/crypto"
)

// numberedPairs are the rows of two files, of which the second has them in another order and says where each was.
type numberedPairs struct {
	before, after heldRows
	// broken counts the texts of rows that nobody can read, which have no number in the output: how often the input has each
	// more often than the output, so far. One whose count comes to nothing is forgotten.
	broken map[string]int64
}

// heldRows are rows of one side that the other has not come to yet.
type heldRows struct {
	format Format
	rows   map[int64]*Row // by their numbers in the input
	read   int64
	ended  bool
}

// maxHeld bounds how many rows of a side are held. A run does not let them get that far apart.
const maxHeld = 2 * maxAhead

// PairNumbered reads an input and the output of a run with [Config.Unordered], both with [Columns.Numbered]. A row of the
// input that nobody can read has no number in the output, and is paired with itself.
func PairNumbered(before, after Format) Pairs {
	return &numberedPairs{
		before: heldRows{format: before, rows: map[int64]*Row{}},
		after:  heldRows{format: after, rows: map[int64]*Row{}},
		broken: map[string]int64{},
	}
}

func (p *numberedPairs) Next(context.Context) (before, after *Row, err error) {
	for !p.before.ended || !p.after.ended {
		side, other := &p.before, &p.after
		if p.before.ended || !p.after.ended && p.after.read < p.before.read {
			side, other = other, side
		}
		row, err := side.next()
		switch {
		case err != nil:
			return nil, nil, err
		case row == nil:
			continue
		case side == &p.before && !wellFormed(row):
			return row, row, p.countBroken(row, 1)
		case side == &p.after && (row.InputRow == 0 || len(p.broken) > 0 && p.broken[digest(row)] > 0): // what is added to a header may make a good row of it
			if err := p.countBroken(row, -1); err != nil {
				return nil, nil, err
			}
			continue
		}
		number := row.Number
		if side == &p.after {
			number = row.InputRow
		}
		held := other.rows[number]
		if held == nil {
			if err := side.hold(number, row); err != nil {
				return nil, nil, err
			}
			continue
		}
		delete(other.rows, number)
		if side == &p.before {
			before, after = row, held
		} else {
			before, after = held, row
		}
		if before.ID != after.ID {
			return nil, nil, fmt.Errorf("%w: row %d is another one in the output", ErrRows, number)
		}
		return before, after, nil
	}
	return nil, nil, p.end()
}

// next reads a row; nil at the end.
func (h *heldRows) next() (*Row, error) {
	row, err := h.format.Next()
	if err == io.EOF {
		h.ended = true
		return nil, nil
	}
	h.read++
	if err == nil && len(row.Blob) > crypto.MaxBlobBytes { // it is none, but may be a long one
		sum := sha256.Sum256(row.Blob)
		row.Blob = sum[:]
	}
	return row, err
}

// hold keeps a row until the other side comes to it.
func (h *heldRows) hold(number int64, row *Row) error {
	if h.rows[number] != nil {
		return fmt.Errorf("%w: row %d is in the output twice", ErrRows, number)
	}
	row.carried = nil // many wait, and a pair needs no more than what was read of them
	h.rows[number] = row
	if len(h.rows) > maxHeld {
		return fmt.Errorf("%w: they are further apart than a run lets them get, from row %d on", ErrRows, h.first())
	}
	return nil
}

// first is the first number that is held; 0 if none is.
func (h *heldRows) first() int64 {
	first := int64(0)
	for number := range h.rows {
		if first == 0 || number < first {
			first = number
		}
	}
	return first
}

// end says whether the files have ended with the same rows.
func (p *numberedPairs) end() error {
	switch before, after := p.before.first(), p.after.first(); {
	case before > 0:
		return fmt.Errorf("%w: row %d is not in the output", ErrRows, before)
	case after > 0:
		return fmt.Errorf("%w: the output has a row %d that the input has not, or has it twice", ErrRows, after)
	case len(p.broken) > 0:
		return fmt.Errorf("%w: %d rows that cannot be read are in one of them only", ErrRows, len(p.broken))
	}
	return io.EOF
}

// countBroken counts a row that nobody can read.
func (p *numberedPairs) countBroken(row *Row, side int64) error {
	key := digest(row)
	if p.broken[key] += side; p.broken[key] == 0 {
		delete(p.broken, key)
	}
	if len(p.broken) > maxHeld {
		return fmt.Errorf("%w: %d rows that cannot be read are in one of them only so far", ErrRows, maxHeld)
	}
	return nil
}

// digest stands for the text of a row.
func digest(row *Row) string {
	sum := sha256.Sum256(carriedText(row))
	return string(sum[:])
}
