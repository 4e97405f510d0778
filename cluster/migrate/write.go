package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// write writes batches as order says, and makes what was written durable now and then, and at the end. It calls stop once it
// knows that it ends before the input does.
func (r *run) write(ctx context.Context, o *order, stop func()) error {
	next := time.Now().Add(r.cfg.Every)
	var end error // why it does
	for !o.ended() {
		b := r.nextBatch(o, next)
		switch {
		case b == nil:
		case b.err != nil:
			end = b.err // of several that of the earliest row
			o.endBefore(b)
			stop()
		default:
			if m, ok := r.cfg.Medium.(gatherer); ok {
				o.join(b, m.Gathers())
			}
			if err := r.writeBatch(ctx, o, b); err != nil {
				return err
			}
			if r.tooMany() && end == nil {
				end = fmt.Errorf("%w: %d of %d", ErrTooManyFailures, r.at.Counts.Failed, r.at.Counts.own())
				o.end()
				stop()
			}
		}
		if len(r.failures) < maxPending && time.Now().Before(next) {
			continue
		}
		if o.pausing = !r.counts(o); o.pausing {
			continue
		}
		if err := r.checkpoint(o); err != nil {
			return errors.Join(end, err)
		}
		next = time.Now().Add(r.cfg.Every)
	}
	if r.counts(o) { // else an earlier row was not moved, and those behind it are moved once more
		if err := r.checkpoint(o); err != nil {
			return errors.Join(end, err)
		}
	}
	switch {
	case r.last.Done:
		return nil
	case end == nil:
		return fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	}
	return end
}

// counts says that a checkpoint can count what was written. Without a journal nobody goes on behind it.
func (r *run) counts(o *order) bool { return r.journal == nil || o.whole() }

// nextBatch returns the next batch that is done, nil after the last or when what was written is to become durable.
func (r *run) nextBatch(o *order, next time.Time) *batch {
	if r.at == r.last || o.pausing {
		return o.next(nil)
	}
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	return o.next(timer.C)
}

// tooMany says that more rows have failed than may.
func (r *run) tooMany() bool {
	failed, own := r.at.Counts.Failed, r.at.Counts.own()
	return r.cfg.MaxFailures > 0 && failed > r.cfg.MaxFailures ||
		r.cfg.MaxFailureRate > 0 && own >= RateRows && float64(failed) > r.cfg.MaxFailureRate*float64(own)
}

// writeBatch gives the rows of a batch to the medium, and counts what came of them. They are written also when ctx has
// ended: it only asks for no more.
func (r *run) writeBatch(ctx context.Context, o *order, b *batch) error {
	if err := r.cfg.Medium.Write(context.WithoutCancel(ctx), b.rows, b.outcomes); err != nil {
		return err
	}
	r.room.Release(b.bytes)
	for i, row := range b.rows {
		outcome := &b.outcomes[i]
		r.at.Counts.add(countOf(outcome.Status))
		r.tally.row(row, outcome)
		if outcome.Status == Failed {
			r.failures = append(r.failures, failureOf(row, outcome.Fault))
		}
	}
	r.at.Counts.Others += b.others
	r.at.Rows += int64(len(b.rows)) + b.others
	if b.place > o.written {
		o.written, r.at.Mark, o.last = b.place, b.mark, b.last
	}
	return nil
}

// checkpoint makes what was written durable, the medium first.
func (r *run) checkpoint(o *order) (err error) {
	r.at.Done = o.last && o.whole()
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
