package migrate

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sync/semaphore"
)

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
	Journal string // path; empty: the run keeps none, begins at the beginning and cannot go on
	Medium  Medium // new; Run closes it
	Way     Way
	Tool    string // version of the program, for the journal
	// Rules are applied to each row before it is moved.
	Rules Rules
	// Shard is the part of the rows that is moved; the others are read and passed over.
	Shard Shard
	// Parallel is how many batches are moved at once, at the most; default [DefaultParallel]. There are fewer while one of the regions
	// says to come later.
	Parallel int
	Regions  []*Region // that the way uses
	// Unordered has batches written as they are done. [Columns.Numbered] says where each row was.
	Unordered bool
	// Gate, if not nil, is called before each batch is read, and holds the run until it returns. An error ends the run.
	Gate func(ctx context.Context) error
	// Stop, if not nil, is called when no more rows are needed, perhaps again: a read of the input that is under way may end.
	Stop func()
	// Every is the longest time between checkpoints; default 1 s.
	Every time.Duration
	// MaxFailures ends the run when more rows have failed; 0: no bound.
	MaxFailures int64
	// MaxFailureRate ends the run when more than this part of the rows so far has failed, from 0 to 1, but not before
	// RateRows rows; 0: no bound.
	MaxFailureRate float64
	// Progress, if not nil, is called with each checkpoint, from one goroutine.
	Progress func(Checkpoint)
	// Failed, if not nil, is called with the rows that failed, before the checkpoint that covers them, from one goroutine.
	Failed func([]Failure)
	// WasDone, if not nil, is called when an earlier start has done all of it, and there is nothing to do.
	WasDone func(History)
}

// DefaultParallel is how many calls are under way at once if nobody says.
const DefaultParallel = 16

// RateRows is how many rows it takes before a rate of failures counts.
const RateRows = 500

var (
	// ErrTooManyFailures says that more rows failed than the run may have.
	ErrTooManyFailures = errors.New("too many rows failed")
	// ErrStopped says that a run was asked to stop before its end; it goes on when it is started again.
	ErrStopped = errors.New("stopped before the end; the same command goes on")
)

// Run moves every row of the medium, or goes on where an earlier run of the same kind ended. It returns the last
// checkpoint, with an error if the run is not done. When ctx ends it finishes the batches under way first. Errors:
// [ErrStopped], [ErrTooManyFailures], [ErrNoContexts], [ErrInputChanged], [ErrOtherRun], [ErrRolledBack],
// [ErrJournalDamaged], the way's, the medium's, the disk's.
func Run(ctx context.Context, cfg Config) (last Checkpoint, err error) {
	defer func() { err = errors.Join(err, cfg.Medium.Close()) }()
	if _, keeps := cfg.Medium.(contextKeeper); !keeps && len(cfg.Rules.Contexts) > 0 {
		return Checkpoint{}, ErrNoContexts
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = DefaultParallel
	}
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	r := &run{cfg: cfg, room: semaphore.NewWeighted(roomBytes)}
	if err := r.open(ctx); err != nil || r.last.Done {
		return r.last, err
	}
	err = r.move(ctx)
	if r.journal != nil {
		err = errors.Join(err, r.journal.Close())
	}
	return r.last, err
}

// run is one run of the engine.
type run struct {
	cfg     Config
	journal *Journal // nil: none is kept
	last    Checkpoint
	room    *semaphore.Weighted // bytes of the rows under way

	read    int64 // number of the last row that this start has read
	readErr error // why there are no more: io.EOF, or what is wrong

	at       Checkpoint // what was written to the medium, but for the size of its output
	failures []Failure  // since the last checkpoint
	tally    tally      // likewise
}

// open makes medium and journal ready, or finds those of an earlier start.
func (r *run) open(ctx context.Context) (err error) {
	if r.cfg.Journal == "" {
		return r.cfg.Medium.Begin(ctx, History{})
	}
	var history History
	if r.journal, history, err = OpenJournal(r.cfg.Journal, r.cfg.Header); errors.Is(err, os.ErrNotExist) {
		return r.create(ctx)
	}
	if err != nil {
		return err
	}
	if r.last = history.Last(); r.last.Done {
		return errors.Join(r.stillDone(ctx, history), r.journal.Close())
	}
	if err := r.cfg.Medium.Begin(ctx, history); err != nil {
		return errors.Join(err, r.journal.Close())
	}
	r.at = r.last
	return r.start()
}

// stillDone refuses a run that was done and then taken back, for its rows are not moved, or whose input is another by now.
func (r *run) stillDone(ctx context.Context, h History) error {
	back, err := RolledBack(r.cfg.Journal, r.cfg.Header, h)
	if back.Begun {
		r.last.Done, err = false, errors.Join(ErrRolledBack, err)
	}
	if err != nil {
		return err
	}
	if m, ok := r.cfg.Medium.(keptInput); ok {
		if err := m.Unchanged(ctx, h); err != nil {
			return err
		}
	}
	if r.cfg.WasDone != nil {
		r.cfg.WasDone(h)
	}
	return nil
}

// create begins a run. The medium comes first, so that a journal always has its output.
func (r *run) create(ctx context.Context) (err error) {
	if err := r.cfg.Medium.Begin(ctx, History{}); err != nil {
		return err
	}
	if r.journal, err = CreateJournal(r.cfg.Journal, r.cfg.Header); err != nil {
		return err
	}
	return r.start()
}

// start notes that this process goes on with the run.
func (r *run) start() error {
	if err := r.journal.Start(Start{At: now(), Tool: r.cfg.Tool, Parallel: r.cfg.Parallel}); err != nil {
		return errors.Join(err, r.journal.Close())
	}
	return nil
}

// now is the time as journals have it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
