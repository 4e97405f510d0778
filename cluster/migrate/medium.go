package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Medium is where the rows of a run are and where they go back to: a file beside a file, a folder, a table. A medium
// serves one run: [Run] begins it and closes it.
type Medium interface {
	// Begin makes ready to read and write behind the last checkpoint of h, or at the beginning if h has none. It finds out
	// whether the input is still what it was ([ErrInputChanged]).
	Begin(ctx context.Context, h History) error
	// Next returns the next row, [io.EOF] after the last. Only one goroutine reads.
	Next(ctx context.Context) (*Row, error)
	// Mark says how far Next has come, to be kept in the checkpoint that covers these rows. The goroutine that reads asks.
	Mark() Mark
	// Write takes rows with their outcomes, in the order of Next unless the run is to have none, from another goroutine than Next. It may turn an outcome
	// into Failed, as where another writer changed the row meanwhile.
	Write(ctx context.Context, rows []*Row, outcomes []Outcome) error
	// Sync makes durable what was written before, and says how many bytes the output has (0 where there is none).
	Sync() (output int64, err error)
	// Close gives back what the medium holds, also of one that was never begun. What was not made durable is lost.
	Close() error
}

// contextKeeper is a medium that writes the encryption context of a row beside its new blob. With any other one a context
// that is not the row's own would be lost, and the blob with it.
type contextKeeper interface{ keepsContexts() }

func (f *Files) keepsContexts() {}
func (e *Exec) keepsContexts()  {}

// gatherer is a medium for which many rows at once are little more work than one: Write gets the rows of several calls,
// until they are so many.
type gatherer interface{ Gathers() int }

// keptInput is a medium whose input stays as it is and can be compared once more with what a run saw that is done. It is
// called instead of Begin. Error: [ErrInputChanged].
type keptInput interface {
	Unchanged(ctx context.Context, h History) error
}

// ErrNoContexts says that a run was to give rows other contexts where these cannot be written.
var ErrNoContexts = errors.New("rows cannot be sealed in other encryption contexts here: there is no place to write them")

// Mark is a place in the input. It is part of a [Checkpoint].
type Mark struct {
	Input  int64  `json:"in"`                  // bytes that the rows took; 0 where there are none
	Digest string `json:"in_sha256,omitempty"` // of these bytes, hex
	Key    string `json:"key,omitempty"`       // of the last row, where rows are found by key (tables), or the last name (folders)
}

// skipRows reads the rows that earlier starts have moved, and compares them with what these saw.
func skipRows(ctx context.Context, m Medium, h History) error {
	begin := Checkpoint{}
	rows := int64(0)
	for _, c := range h.Checkpoints {
		for rows < c.Rows {
			if _, err := m.Next(ctx); err == io.EOF {
				return fmt.Errorf("%w: it has %d rows, and %d were moved", ErrInputChanged, rows, h.Last().Rows)
			} else if err != nil {
				return fmt.Errorf("reading the input after row %d: %w", rows, err)
			}
			rows++
		}
		if m.Mark() != c.Mark {
			return fmt.Errorf("%w: rows %d to %d are not what was moved; --restart begins again", ErrInputChanged, begin.Rows+1, c.Rows)
		}
		begin = c
	}
	return nil
}
