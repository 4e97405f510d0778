package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// batch is a piece of the input on its way.
type batch struct {
	rows     []*Row
	others   int64 // rows between them that are of other shards
	outcomes []Outcome
	mark     Mark  // its end
	last     bool  // the input ends with it
	err      error // of the input, or of the way
	done     chan struct{}
}

// move reads, moves and writes until the input or ctx ends.
func (r *run) move(ctx context.Context) error {
	reading, endReading := context.WithCancel(ctx)
	moving, endMoving := context.WithCancel(context.WithoutCancel(ctx)) // what is under way when ctx ends is finished
	queue := make(chan *batch, 2*r.cfg.Parallel)                        // in the order of the input; also the bound of what is under way
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.fill(ctx, reading, moving, queue)
	}()
	err := r.write(ctx, queue)
	endReading() // nothing is waited for that will not be written
	endMoving()
	for b := range queue {
		<-b.done
	}
	<-finished
	return err
}

// fill fills the queue until the input, reading or moving ends, and has as many batches moved at once as may be. reading
// ends with ctx, but a moment later: an input that waits for ctx itself may be the first to tell.
func (r *run) fill(ctx, reading, moving context.Context, queue chan<- *batch) {
	defer close(queue)
	pace := newPace(r.cfg.Parallel, r.cfg.Regions)
	for {
		b := r.readBatch(reading)
		if b.err != nil && (ctx.Err() != nil || reading.Err() != nil) {
			return
		}
		ended := b.last || b.err != nil // from here on the batch is its mover's until done is closed
		if pace.take(reading) != nil {
			return
		}
		go func() {
			defer pace.give()
			defer close(b.done)
			if b.err == nil {
				b.outcomes, b.err = MoveBatch(moving, r.cfg.Way, b.rows)
			}
		}()
		select {
		case queue <- b:
		case <-moving.Done():
			<-b.done
			return
		}
		if ended || reading.Err() != nil {
			return
		}
	}
}

// maxPassed bounds the rows of other shards that a batch passes over, so that there are checkpoints meanwhile.
const maxPassed = 50_000

// readBatch reads the rows of one call. An error, and the end, come behind the rows before them.
func (r *run) readBatch(ctx context.Context) *batch {
	b := &batch{done: make(chan struct{})}
	if r.cfg.Gate != nil {
		if b.err = r.cfg.Gate(ctx); b.err != nil {
			return b
		}
	}
	for r.readErr == nil && len(b.rows) < max(r.cfg.Way.Batch(), 1) && b.others < maxPassed {
		row, err := r.cfg.Medium.Next(ctx)
		if err != nil {
			r.readErr = err
			break
		}
		r.read = row.Number
		if r.cfg.Shard.has(row) {
			r.cfg.Rules.Apply(row)
			b.rows = append(b.rows, row)
		} else {
			b.others++
		}
	}
	switch b.last = r.readErr == io.EOF; {
	case b.last || len(b.rows) > 0 || b.others > 0:
		b.mark = r.cfg.Medium.Mark()
	case r.read > 0:
		b.err = fmt.Errorf("reading the input after row %d: %w", r.read, r.readErr)
	default:
		b.err = fmt.Errorf("reading the input: %w", r.readErr)
	}
	return b
}

// MoveBatch has those rows moved that can be read and are not skipped; those that cannot be read fail.
func MoveBatch(ctx context.Context, way Way, rows []*Row) ([]Outcome, error) {
	outcomes := make([]Outcome, len(rows))
	var readable []*Row
	var places []int
	for i, row := range rows {
		switch {
		case row.Fault != nil:
			outcomes[i] = Outcome{Status: Failed, Fault: row.Fault}
			continue
		case row.Skip:
			outcomes[i] = skipped(row)
			continue
		}
		readable, places = append(readable, row), append(places, i)
	}
	if len(readable) == 0 {
		return outcomes, nil
	}
	moved, err := way.Move(ctx, readable)
	if err != nil {
		return nil, err
	}
	if len(moved) != len(readable) {
		return nil, fmt.Errorf("%d outcomes of %d rows", len(moved), len(readable))
	}
	for i, o := range moved {
		outcomes[places[i]] = o
	}
	return outcomes, nil
}

// write takes batches in the order of the input, and makes what was written durable now and then, and at the end.
func (r *run) write(ctx context.Context, queue <-chan *batch) error {
	next := time.Now().Add(r.cfg.Every)
	for {
		b, err := r.nextBatch(queue, next)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if b.err != nil {
			return errors.Join(b.err, r.checkpoint())
		}
		if err := r.writeBatch(ctx, b); err != nil {
			return err
		}
		tooMany := r.tooMany()
		if b.last || tooMany || len(r.failures) >= maxPending || !time.Now().Before(next) {
			if err := r.checkpoint(); err != nil {
				return err
			}
			next = time.Now().Add(r.cfg.Every)
		}
		switch {
		case b.last:
			return nil
		case tooMany:
			return fmt.Errorf("%w: %d of %d", ErrTooManyFailures, r.at.Counts.Failed, r.at.Counts.own())
		}
	}
	if err := r.checkpoint(); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
}

// nextBatch returns the next batch that is done; nil after the last. While there is none, what was written becomes durable
// when that is due.
func (r *run) nextBatch(queue <-chan *batch, next time.Time) (*batch, error) {
	var due <-chan time.Time
	if r.at != r.last {
		timer := time.NewTimer(time.Until(next))
		defer timer.Stop()
		due = timer.C
	}
	var b *batch
	var done <-chan struct{}
	for {
		select {
		case got, more := <-queue:
			if !more {
				return nil, nil
			}
			b, queue, done = got, nil, got.done
		case <-done:
			return b, nil
		case <-due:
			due = nil
			if err := r.checkpoint(); err != nil {
				if b != nil {
					<-b.done
				}
				return nil, err
			}
		}
	}
}

// tooMany says that more rows have failed than may.
func (r *run) tooMany() bool {
	failed, own := r.at.Counts.Failed, r.at.Counts.own()
	return r.cfg.MaxFailures > 0 && failed > r.cfg.MaxFailures ||
		r.cfg.MaxFailureRate > 0 && own >= RateRows && float64(failed) > r.cfg.MaxFailureRate*float64(own)
}

// writeBatch gives the rows of a batch to the medium, and counts what came of them. They are written also when ctx has
// ended: it only asks for no more.
func (r *run) writeBatch(ctx context.Context, b *batch) error {
	if err := r.cfg.Medium.Write(context.WithoutCancel(ctx), b.rows, b.outcomes); err != nil {
		return err
	}
	for i, row := range b.rows {
		o := &b.outcomes[i]
		r.at.Counts.add(countOf(o.Status))
		r.tally.row(row, o)
		if o.Status == Failed {
			r.failures = append(r.failures, failureOf(row, o.Fault))
		}
	}
	r.at.Counts.Others += b.others
	r.at.Rows += int64(len(b.rows)) + b.others
	r.at.Mark, r.at.Done = b.mark, b.last
	return nil
}

// checkpoint makes what was written durable, the medium first.
func (r *run) checkpoint() (err error) {
	if r.at == r.last {
		return nil
	}
	if r.at.Output, err = r.cfg.Medium.Sync(); err != nil {
		return err
	}
	if r.cfg.Failed != nil && len(r.failures) > 0 {
		r.cfg.Failed(r.failures)
	}
	if r.journal != nil {
		if err := r.journal.Checkpoint(r.at, r.since()); err != nil {
			return err
		}
	}
	r.last, r.failures = r.at, r.failures[:0]
	if r.cfg.Progress != nil {
		r.cfg.Progress(r.last)
	}
	return nil
}

// since is what a checkpoint tells of the time since the one before.
func (r *run) since() Since {
	since := Since{At: now(), Failures: r.failures, Groups: r.tally.take()}
	for _, region := range r.cfg.Regions {
		since.Traffic = append(since.Traffic, region.Traffic())
	}
	return since
}
