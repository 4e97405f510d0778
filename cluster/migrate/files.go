package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Format reads rows and writes them again.
type Format interface {
	// Next returns the next row, io.EOF after the last.
	Next() (*Row, error)
	// Offset is how many bytes the rows that Next has returned took.
	Offset() int64
	// AppendRow appends a row as it is after the move.
	AppendRow(dst []byte, row *Row, o *Outcome) []byte
}

// headed is a format whose files begin with something that is no row.
type headed interface{ Header() []byte }

// Files is the medium of a run that reads one file and writes another.
type Files struct {
	source io.Reader
	path   string // of the output
	open   func(input io.Reader) (Format, error)

	input  *digester
	format Format
	output *os.File
	buffer *bufio.Writer
	size   int64  // of the output, with what is in the buffer
	text   []byte // of a row, used again
}

// NewFiles reads rows of a format from input and writes them to the file at output. At the first start of a run the file
// must not be there, or be empty.
func NewFiles(input io.Reader, output string, format func(input io.Reader) (Format, error)) *Files {
	return &Files{source: input, path: output, open: format}
}

// Begin finds the places in both files. Nothing is written before the input is known to be what it was.
func (f *Files) Begin(ctx context.Context, h History) (err error) {
	f.input = newDigester(f.source)
	if f.format, err = f.open(f.input); err != nil {
		return fmt.Errorf("reading the input: %w", err)
	}
	if h.Begun {
		err = f.resume(ctx, h)
	} else {
		err = f.create()
	}
	if err != nil {
		return err
	}
	f.buffer = bufio.NewWriterSize(f.output, 256<<10)
	if head, ok := f.format.(headed); ok && len(h.Checkpoints) == 0 {
		n, _ := f.buffer.Write(head.Header()) // a failure comes again when the buffer is flushed
		f.size = int64(n)
	}
	return nil
}

// create makes the output. An empty one is of a run that was killed before it had its journal.
func (f *Files) create() (err error) {
	if f.output, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	info, err := f.output.Stat()
	if err != nil {
		return err
	}
	if info.Size() > 0 {
		return fmt.Errorf("%s: %w, and there is no journal of a run that wrote it", f.path, os.ErrExist)
	}
	return syncFolder(f.path)
}

// resume cuts the output back to the last checkpoint.
func (f *Files) resume(ctx context.Context, h History) (err error) {
	last := h.Last()
	if f.output, err = os.OpenFile(f.path, os.O_RDWR, 0); err != nil {
		return err
	}
	info, err := f.output.Stat()
	if err != nil {
		return err
	}
	if info.Size() < last.Output {
		return fmt.Errorf("%s has %d bytes, and the journal knows of %d: it was changed", f.path, info.Size(), last.Output)
	}
	if err := f.skip(ctx, h); err != nil {
		return err
	}
	if err := f.output.Truncate(last.Output); err != nil {
		return err
	}
	f.size, err = f.output.Seek(last.Output, io.SeekStart)
	return err
}

// skip reads the rows that earlier starts have moved, and compares them with what these saw.
func (f *Files) skip(ctx context.Context, h History) error {
	begin := Checkpoint{}
	rows := int64(0)
	for _, c := range h.Checkpoints {
		for rows < c.Rows {
			if _, err := f.Next(ctx); err == io.EOF {
				return fmt.Errorf("%w: it has %d rows, and %d were moved", ErrInputChanged, rows, h.Last().Rows)
			} else if err != nil {
				return err
			}
			rows++
		}
		if f.Mark() != c.Mark {
			return fmt.Errorf("%w: rows %d to %d are not what was moved; --restart begins again", ErrInputChanged, begin.Rows+1, c.Rows)
		}
		begin = c
	}
	return nil
}

// Next returns the next row of the input.
func (f *Files) Next(ctx context.Context) (*Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.format.Next()
}

// Mark is how many bytes of the input the rows took, and their digest.
func (f *Files) Mark() Mark {
	at := f.format.Offset()
	return Mark{Input: at, Digest: f.input.sum(at)}
}

// Write puts rows into the buffer.
func (f *Files) Write(_ context.Context, rows []*Row, outcomes []Outcome) error {
	for i, row := range rows {
		f.text = f.format.AppendRow(f.text[:0], row, &outcomes[i])
		if _, err := f.buffer.Write(f.text); err != nil {
			return err
		}
		f.size += int64(len(f.text))
	}
	return nil
}

// Sync writes the buffer and syncs the output.
func (f *Files) Sync() (int64, error) {
	return f.size, errors.Join(f.buffer.Flush(), f.output.Sync())
}

// Close closes the output. The input is its opener's.
func (f *Files) Close() error {
	if f.output == nil {
		return nil
	}
	return f.output.Close()
}
