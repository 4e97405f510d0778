package migrate

import (
	"context"
	"fmt"
	"io"
)

// batch is a piece of the input on its way.
type batch struct {
	place    int64 // 1 for the first, and so on
	before   int64 // how many rows of this shard were taken before it
	rows     []*Row
	bytes    int64 // that the rows hold, about
	others   int64 // rows between them that are of other shards
	outcomes []Outcome
	mark     Mark  // its end
	last     bool  // the input ends with it
	err      error // of the input, or of the way
	done     chan struct{}
}

// join takes the rows of another one in, to be written with those of b.
func (b *batch) join(other *batch) {
	b.rows, b.outcomes = append(b.rows, other.rows...), append(b.outcomes, other.outcomes...)
	b.others, b.bytes = b.others+other.others, b.bytes+other.bytes
	if other.place > b.place {
		b.place, b.mark, b.last = other.place, other.mark, other.last
	}
}

// move reads, moves and writes until the input or ctx ends.
func (r *run) move(ctx context.Context) error {
	reading, endReading := context.WithCancel(ctx)
	moving, endMoving := context.WithCancel(context.WithoutCancel(ctx)) // what is under way when ctx ends is finished
	queue := make(chan *batch, 2*r.cfg.Parallel)                        // in the order of the input; also the bound of what is under way
	o := newOrder(queue, r.cfg.Unordered)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.fill(ctx, reading, moving, queue, o.wake)
	}()
	stop := func() {
		endReading() // nothing is waited for that will not be written
		if r.cfg.Stop != nil {
			r.cfg.Stop()
		}
	}
	err := r.write(ctx, o, stop)
	stop()
	endMoving()
	o.drop()
	<-finished
	return err
}

// fill fills the queue until the input, reading or moving ends, and has as many batches moved at once as may be. reading
// ends with ctx, but a moment later: an input that waits for ctx itself may be the first to tell. done is called whenever a
// batch is done.
func (r *run) fill(ctx, reading, moving context.Context, queue chan<- *batch, done func()) {
	defer close(queue)
	pace := newPace(r.cfg.Parallel, r.cfg.Regions)
	for place := int64(1); ; place++ {
		b := r.readBatch(reading)
		b.place = place
		if b.err != nil && (ctx.Err() != nil || reading.Err() != nil) {
			return
		}
		ended := b.last || b.err != nil // from here on the batch is its mover's until done is closed
		if r.room.Acquire(reading, b.bytes) != nil || pace.take(reading) != nil {
			return
		}
		go func() {
			defer pace.give()
			defer done()
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

const (
	// roomBytes bounds what all rows under way hold together, about, and so the memory that a run takes.
	roomBytes = 64 << 20
	// maxBatchBytes is what the rows of one batch hold, but for the last.
	maxBatchBytes = 4 << 20
)

// held is what a row takes in memory, about.
func (r *Row) held() int64 { return int64(r.size + len(r.Blob) + 512) }

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
	for r.readErr == nil && len(b.rows) < max(r.cfg.Way.Batch(), 1) && b.bytes < maxBatchBytes && b.others < maxPassed {
		row, err := r.cfg.Medium.Next(ctx)
		if err != nil {
			r.readErr = err
			break
		}
		r.read = row.Number
		if r.cfg.Shard.has(row) {
			r.cfg.Rules.Apply(row)
			b.rows = append(b.rows, row)
			b.bytes += row.held()
		} else {
			b.others++
		}
	}
	b.bytes = min(b.bytes, roomBytes)
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
	readable, places := make([]*Row, 0, len(rows)), make([]int, 0, len(rows))
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
