package migrate

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// maxAhead is how many rows may be written before one that comes earlier in the input, in a run that need not keep its order,
// but for those of the last batch. It bounds what [PairNumbered] has to hold, and how many failures a checkpoint can have.
const maxAhead = 10_000

// order says which batch is written next: the first that is open or, where the order is free, any that is done. A checkpoint
// says how many rows from the beginning are written: there is none as long as a batch is written and an earlier one is not.
type order struct {
	queue <-chan *batch // in the order of the input
	woken chan struct{} // a batch may be done
	ahead int64         // how many rows may be written before an earlier one; 0: they keep their order

	open    []*batch // taken and not written, in the order of the input
	taken   *batch   // the last that was
	rows    int64    // in all that were taken
	written int64    // the last place of which a batch is written
	last    bool     // the input ends with that
	pausing bool     // for a checkpoint: only what comes before what is written is written
	closed  bool     // nothing is left in the queue
	stop    int64    // batches from this place on are not written
}

func newOrder(queue <-chan *batch, unordered bool) *order {
	o := &order{queue: queue, woken: make(chan struct{}, 1), stop: math.MaxInt64}
	if unordered {
		o.ahead = maxAhead
	}
	return o
}

// wake says that a batch is done.
func (o *order) wake() {
	select {
	case o.woken <- struct{}{}:
	default: // it was said already
	}
}

// next returns the next batch to be written; nil when there is none before more is taken, or when due has passed.
func (o *order) next(due <-chan time.Time) *batch {
	for {
		if b := o.takeDone(); b != nil {
			return b
		}
		takes := o.takes()
		if !takes && !o.waits() {
			return nil
		}
		queue := o.queue
		if !takes || !o.room() {
			queue = nil
		}
		select {
		case b, more := <-queue:
			o.take(b, more)
		case <-o.woken:
		case <-due:
			return nil
		}
	}
}

// join lets batches join b that are written together with it, without waiting for any: until it has so many rows.
func (o *order) join(b *batch, rows int) {
	for len(b.rows) < rows {
		if other := o.takeDone(); other != nil {
			if other.err != nil {
				o.giveBack(other)
				return
			}
			b.join(other)
			continue
		}
		if !o.takes() || !o.room() {
			return
		}
		select {
		case next, more := <-o.queue:
			o.take(next, more)
		default:
			return
		}
	}
}

// take takes what the queue gave.
func (o *order) take(b *batch, more bool) {
	if !more {
		o.closed = true
		return
	}
	b.before = o.rows
	o.rows += int64(len(b.rows))
	o.open, o.taken = append(o.open, b), b
}

// takeDone takes the first batch that is done out of those that are open.
func (o *order) takeDone() *batch {
	for i, b := range o.open {
		if b.place >= o.stop || o.pausing && b.place > o.written {
			break
		}
		select {
		case <-b.done:
			o.open = slices.Delete(o.open, i, i+1)
			return b
		default:
		}
	}
	return nil
}

// giveBack takes takeDone back.
func (o *order) giveBack(b *batch) {
	at, _ := slices.BinarySearchFunc(o.open, b.place, func(b *batch, place int64) int { return cmp.Compare(b.place, place) })
	o.open = slices.Insert(o.open, at, b)
}

// takes says that batches are taken from the queue.
func (o *order) takes() bool { return !o.closed && !o.pausing && o.stop == math.MaxInt64 }

// room says that one more may be open.
func (o *order) room() bool { return len(o.open) == 0 || o.rows-o.open[0].before < o.ahead }

// waits says that a batch is open that will be written.
func (o *order) waits() bool { return len(o.open) > 0 && o.open[0].place < o.stop }

// whole says that everything is written that comes before what is written.
func (o *order) whole() bool {
	first := o.stop
	if len(o.open) > 0 {
		first = min(first, o.open[0].place)
	}
	return o.written < first
}

// endBefore has nothing more taken, and of what is open only that written which comes before a batch.
func (o *order) endBefore(b *batch) { o.stop = min(o.stop, b.place) }

// end has nothing more written than what is open.
func (o *order) end() { o.stop = min(o.stop, o.taken.place+1) }

// ended says that nothing is left to be written.
func (o *order) ended() bool { return !o.waits() && (o.closed || o.stop < math.MaxInt64) }

// drop waits for all that will not be written.
func (o *order) drop() {
	for _, b := range o.open {
		<-b.done
	}
	for b := range o.queue {
		<-b.done
	}
}
