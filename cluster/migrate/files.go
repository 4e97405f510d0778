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
	// Compression of the output; the one that its name says if nothing else is said.
	Compression Compression

	source io.Reader
	path   string    // of the output
	stream io.Writer // instead of a file
	open   func(input io.Reader) (Format, error)

	input  *feed
	format Format
	file   *os.File // the output, if it is one
	sink   *sink
	text   []byte // of a row, used again
}

// NewFiles reads rows of a format from input and writes them to the file at output. At the first start of a run the file
// must not be there, or be empty. Input that is packed goes through [Unpack] first.
func NewFiles(input io.Reader, output string, format func(input io.Reader) (Format, error)) *Files {
	c, _ := CompressionOf(output)
	return &Files{Compression: c, source: input, path: output, open: format}
}

// NewStream reads rows of a format from input and writes them to what cannot be cut back, such as standard output. So a
// run with it has no journal, and begins at the beginning.
func NewStream(input io.Reader, output io.Writer, format func(input io.Reader) (Format, error)) *Files {
	return &Files{Compression: Plain, source: input, stream: output, open: format}
}

// Begin finds the places in both files. Nothing is written before the input is known to be what it was.
func (f *Files) Begin(ctx context.Context, h History) (err error) {
	packer, err := newPacker(f.Compression)
	if err != nil {
		return err
	}
	if err := f.openInput(); err != nil {
		return err
	}
	output := f.stream
	if output == nil {
		if err := f.openOutput(ctx, h); err != nil {
			return err
		}
		output = f.file
	}
	f.sink = &sink{file: f.file, buffer: bufio.NewWriterSize(output, 256<<10), packer: packer, size: h.Last().Output}
	if head, ok := f.format.(headed); ok && len(h.Checkpoints) == 0 {
		_, err = f.sink.Write(head.Header())
	}
	return err
}

func (f *Files) openInput() (err error) {
	f.input = hashedFeed(f.source)
	if f.format, err = f.open(f.input); err != nil {
		return fmt.Errorf("reading the input: %w", err)
	}
	return nil
}

// ErrOutputChanged says that the output of a run is not what it left.
var ErrOutputChanged = errors.New("the output is not as the run left it")

// Unchanged looks at the output of a run that is done, and reads its input.
func (f *Files) Unchanged(ctx context.Context, h History) error {
	switch info, err := os.Stat(f.path); {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %s is gone; --restart begins again", ErrOutputChanged, f.path)
	case err != nil:
		return err
	case info.Size() != h.Last().Output:
		return fmt.Errorf("%w: %s has %d bytes, and the run has written %d; --restart begins again", ErrOutputChanged, f.path, info.Size(), h.Last().Output)
	}
	if err := f.openInput(); err != nil {
		return err
	}
	if err := skipRows(ctx, f, h); err != nil {
		return err
	}
	switch _, err := f.Next(ctx); {
	case err == nil:
		return fmt.Errorf("%w: it has more rows than the %d that were moved; another output takes all, or --restart begins again", ErrInputChanged, h.Last().Rows)
	case err != io.EOF:
		return fmt.Errorf("reading the input after row %d: %w", h.Last().Rows, err)
	}
	return nil
}

// openOutput makes the output, or finds that of an earlier start.
func (f *Files) openOutput(ctx context.Context, h History) error {
	if h.Begun {
		return f.resume(ctx, h)
	}
	return f.create()
}

// create makes the output. An empty one is of a run that was killed before it had its journal.
func (f *Files) create() (err error) {
	if f.file, err = os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := f.lock(); err != nil {
		return err
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() > 0 {
		return fmt.Errorf("%s: %w, and there is no journal of a run that wrote it: give another name, or delete it", f.path, os.ErrExist)
	}
	return syncFolder(f.path)
}

// lock keeps the output for this process.
func (f *Files) lock() error {
	err := lock(f.file)
	if errors.Is(err, ErrInUse) {
		return fmt.Errorf("%s: %w", f.path, ErrOutputInUse)
	}
	return err
}

// resume cuts the output back to the last checkpoint.
func (f *Files) resume(ctx context.Context, h History) (err error) {
	last := h.Last()
	f.file, err = os.OpenFile(f.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s is gone; --restart begins again", ErrOutputChanged, f.path)
	}
	if err != nil {
		return err
	}
	if err := f.lock(); err != nil {
		return err
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < last.Output {
		return fmt.Errorf("%w: %s has %d bytes, and the journal knows of %d; --restart begins again", ErrOutputChanged, f.path, info.Size(), last.Output)
	}
	if err := skipRows(ctx, f, h); err != nil {
		return err
	}
	if err := f.file.Truncate(last.Output); err != nil {
		return err
	}
	_, err = f.file.Seek(last.Output, io.SeekStart)
	return err
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
	return Mark{Input: f.format.Offset(), Digest: f.input.sum()}
}

// Write puts rows into the buffer.
func (f *Files) Write(_ context.Context, rows []*Row, outcomes []Outcome) error {
	for i, row := range rows {
		f.text = f.format.AppendRow(f.text[:0], row, &outcomes[i])
		if _, err := f.sink.Write(f.text); err != nil {
			return err
		}
	}
	return nil
}

// Sync writes the buffer and syncs the output.
func (f *Files) Sync() (int64, error) { return f.sink.sync() }

// Close closes the output, and the format if it can be. The input is its opener's, and so is a stream.
func (f *Files) Close() (err error) {
	if format, ok := f.format.(io.Closer); ok {
		err = format.Close()
	}
	if f.file == nil {
		return err
	}
	return errors.Join(err, f.file.Close())
}
