package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
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

// Way moves rows. It is safe for concurrent use.
type Way interface {
	// Batch is how many rows are best moved at a time.
	Batch() int
	// Move moves rows, none of which has a Fault, and returns what came of each. Regions that cannot be reached are its
	// to wait for; an error ends the run, with nothing of these rows written.
	Move(ctx context.Context, rows []*Row) ([]Outcome, error)
}

// Config says what a run does.
type Config struct {
	Header  Header
	Journal string // path
	Output  string // path; at the first start it must not be there, or be empty
	Input   io.Reader
	Format  func(input io.Reader) (Format, error)
	Way     Way
	// Parallel is how many batches are moved at once; default 4.
	Parallel int
	// Every is the longest time between checkpoints; default 1 s.
	Every time.Duration
	// MaxFailures ends the run when more rows have failed; 0: no bound.
	MaxFailures int64
	// Progress, if not nil, is called with each checkpoint, from one goroutine.
	Progress func(Checkpoint)
}

var (
	// ErrTooManyFailures says that more rows failed than the run may have.
	ErrTooManyFailures = errors.New("too many rows failed")
	// ErrStopped says that a run was asked to stop before its end; it goes on when it is started again.
	ErrStopped = errors.New("stopped before the end; the same command goes on")
)

// Run moves every row of the input, or goes on where an earlier run of the same kind ended. It returns the last
// checkpoint, with an error if the run is not done. When ctx ends it finishes the batches under way first. Errors:
// [ErrStopped], [ErrTooManyFailures], [ErrInputChanged], [ErrOtherRun], [ErrJournalDamaged], the way's, the disk's.
func Run(ctx context.Context, cfg Config) (Checkpoint, error) {
	if cfg.Parallel <= 0 {
		cfg.Parallel = 4
	}
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	r := &run{cfg: cfg}
	if err := r.open(); err != nil || r.last.Done {
		return r.last, err
	}
	defer r.close()
	if err := r.skip(); err != nil {
		return r.last, err
	}
	err := r.move(ctx)
	return r.last, err
}

// run is one run of the engine.
type run struct {
	cfg     Config
	journal *Journal
	history History
	output  *os.File
	buffer  *bufio.Writer
	input   *digester
	format  Format
	last    Checkpoint

	at       Checkpoint // what was written to the buffer
	failures []Failure  // since the last checkpoint
}

// open makes journal and output, or finds those of an earlier start and cuts the output back.
func (r *run) open() (err error) {
	if r.journal, r.history, err = OpenJournal(r.cfg.Journal, r.cfg.Header); errors.Is(err, os.ErrNotExist) {
		return r.create()
	}
	if err != nil {
		return err
	}
	if r.last = r.history.Last(); r.last.Done {
		return r.journal.Close()
	}
	if err := r.readInput(); err != nil {
		return errors.Join(err, r.journal.Close())
	}
	if r.output, err = os.OpenFile(r.cfg.Output, os.O_RDWR, 0); err != nil {
		return errors.Join(err, r.journal.Close())
	}
	info, err := r.output.Stat()
	if err == nil && info.Size() < r.last.Output {
		err = fmt.Errorf("%s has %d bytes, and the journal knows of %d: it was changed", r.cfg.Output, info.Size(), r.last.Output)
	}
	if err == nil {
		err = r.output.Truncate(r.last.Output)
	}
	if err == nil {
		_, err = r.output.Seek(r.last.Output, io.SeekStart)
	}
	if err != nil {
		r.close()
		return err
	}
	r.begin()
	return nil
}

// create begins a run. The output comes first, so that a journal always has one; an empty one without a journal is of a
// run that was killed before it began.
func (r *run) create() (err error) {
	if err := r.readInput(); err != nil {
		return err
	}
	if r.output, err = os.OpenFile(r.cfg.Output, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	info, err := r.output.Stat()
	if err == nil && info.Size() > 0 {
		err = fmt.Errorf("%s: %w, and there is no journal of a run that wrote it", r.cfg.Output, os.ErrExist)
	}
	if err == nil {
		err = syncFolder(r.cfg.Output)
	}
	if err == nil {
		r.journal, err = CreateJournal(r.cfg.Journal, r.cfg.Header)
	}
	if err != nil {
		return errors.Join(err, r.output.Close())
	}
	r.begin()
	return nil
}

// readInput makes ready to read the input. Nothing is written before that is possible.
func (r *run) readInput() (err error) {
	r.input = newDigester(r.cfg.Input)
	if r.format, err = r.cfg.Format(r.input); err != nil {
		return fmt.Errorf("reading the input: %w", err)
	}
	return nil
}

// begin makes ready to write behind the last checkpoint.
func (r *run) begin() {
	r.at = r.last
	r.buffer = bufio.NewWriterSize(r.output, 256<<10)
	if h, ok := r.format.(headed); ok && len(r.history.Checkpoints) == 0 {
		n, _ := r.buffer.Write(h.Header()) // a failure comes again when the buffer is flushed
		r.at.Output = int64(n)
	}
}

// close closes the files. What was not made durable by a checkpoint does not count, and need not be.
func (r *run) close() {
	_ = r.journal.Close()
	_ = r.output.Close()
}

// skip reads the rows that earlier starts have moved, and compares them with what these saw.
func (r *run) skip() error {
	begin := Checkpoint{}
	rows := int64(0)
	for _, c := range r.history.Checkpoints {
		for rows < c.Rows {
			if _, err := r.format.Next(); err == io.EOF {
				return fmt.Errorf("%w: it has %d rows, and %d were moved", ErrInputChanged, rows, r.last.Rows)
			} else if err != nil {
				return err
			}
			rows++
		}
		if r.format.Offset() != c.Input || r.input.sum(c.Input) != c.Digest {
			return fmt.Errorf("%w: rows %d to %d are not what was moved; --restart begins again", ErrInputChanged, begin.Rows+1, c.Rows)
		}
		begin = c
	}
	return nil
}
