package api

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// maxAsymmetricWaiting bounds the asymmetric requests that wait for a slot.
	maxAsymmetricWaiting = 1024
	// queueWait is how long a request waits for a slot or a pair: with both, and a write that is held, it is answered
	// before clients that wait 15 to 30 s give up on it.
	queueWait = 6 * time.Second
	// maxSlotGroup and slotGroupTime bound the work that is done in one go before anybody of it is answered: no more
	// than maxSlotGroup pieces, and none is begun after slotGroupTime. To hand over after each piece would put two
	// threads to sleep and wake two others for a millisecond of work, which costs an eighth of it.
	maxSlotGroup  = 8
	slotGroupTime = 10 * time.Millisecond
)

// asymmetricSlots bounds how much asymmetric work runs at once, so that symmetric requests, a hundred times as quick,
// always find a processor. Who waits is served in the order of coming.
type asymmetricSlots struct {
	slots int
	group int // pieces of work in one go

	mu      sync.Mutex
	free    int
	queue   []*slotWaiter // empty while a slot is free
	waiting int           // those in the queue that count towards maxAsymmetricWaiting
}

// slotWaiter waits for a slot, or to have work done by who has one.
type slotWaiter struct {
	work     func() // nil: it wants the slot
	counted  bool
	slot     chan bool // is told once: true, it has the slot; false, its work is done
	panicked *slotPanic
}

// slotPanic is what the work of one request panicked with while another did it.
type slotPanic struct {
	value any
	at    string
}

// newAsymmetricSlots leaves one processor to everything else, if there is more than one. Without one that takes up what
// is done, no work is done in groups.
func newAsymmetricSlots() *asymmetricSlots {
	processors := runtime.GOMAXPROCS(0)
	if processors == 1 {
		return &asymmetricSlots{slots: 1, free: 1, group: 1}
	}
	return &asymmetricSlots{slots: processors - 1, free: processors - 1, group: maxSlotGroup}
}

// do does work in a slot, for which it waits up to queueWait. One request too many does not wait. The work must be short
// and wait for nothing: other work may be done before do returns, and other goroutines may do this.
func (s *asymmetricSlots) do(ctx context.Context, work func()) error {
	w := &slotWaiter{work: work, counted: true}
	switch own, err := s.enterAWhile(ctx, w); {
	case err != nil:
		return err
	case own:
		s.doGroup(work)
	case w.panicked != nil:
		panic(w.panicked)
	}
	return nil
}

// doGroup does work and then that of others who wait, and gives the slot back.
func (s *asymmetricSlots) doGroup(work func()) {
	var done []*slotWaiter
	defer func() {
		for _, w := range done {
			w.slot <- false
		}
		s.release() // last, so that the next group runs on this processor and those that are done find another
	}()
	began := time.Now()
	work()
	for len(done) < s.group-1 && time.Since(began) < slotGroupTime {
		w := s.nextWork(len(done) + 1)
		if w == nil {
			return
		}
		done = append(done, w)
		w.run()
	}
}

// run does the work of a waiter, whose panic is its own.
func (w *slotWaiter) run() {
	defer func() {
		if p := recover(); p != nil {
			w.panicked = &slotPanic{p, panicFrames(framesOfRecovery)}
		}
	}()
	w.work()
}

// take waits for a slot, up to queueWait, and returns what gives it back. One request too many does not wait.
func (s *asymmetricSlots) take(ctx context.Context) (release func(), err error) {
	return s.hold(s.enterAWhile(ctx, &slotWaiter{counted: true}))
}

// waitAWhile waits for a slot, up to queueWait, however many others do.
func (s *asymmetricSlots) waitAWhile(ctx context.Context) (release func(), err error) {
	return s.hold(s.enterAWhile(ctx, &slotWaiter{}))
}

// wait waits for a slot, whoever else does.
func (s *asymmetricSlots) wait(ctx context.Context) (release func(), err error) {
	return s.hold(s.enter(ctx, &slotWaiter{}))
}

// hold is what a waiter without work got.
func (s *asymmetricSlots) hold(_ bool, err error) (release func(), _ error) {
	if err != nil {
		return nil, err
	}
	return s.release, nil
}

// enterAWhile is enter for up to queueWait.
func (s *asymmetricSlots) enterAWhile(ctx context.Context, w *slotWaiter) (own bool, err error) {
	if s.enterFree() {
		return true, nil
	}
	limited, cancel := context.WithTimeout(ctx, queueWait)
	defer cancel()
	own, err = s.enter(limited, w)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = errThrottled("asymmetric operations come faster than this node does them", time.Second)
	}
	return own, err
}

// enterFree takes a slot if one is free. It saves those that need not wait the timer of those that do.
func (s *asymmetricSlots) enterFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// enter waits until w has a slot of its own, or until its work was done in that of another.
func (s *asymmetricSlots) enter(ctx context.Context, w *slotWaiter) (own bool, err error) {
	s.mu.Lock()
	switch {
	case s.free > 0:
		s.free--
		s.mu.Unlock()
		return true, nil
	case w.counted && s.waiting >= maxAsymmetricWaiting:
		s.mu.Unlock()
		return false, errThrottled("too many asymmetric operations wait on this node", time.Second)
	}
	w.slot = make(chan bool, 1)
	s.queue = append(s.queue, w)
	if w.counted {
		s.waiting++
	}
	s.mu.Unlock()
	select {
	case own = <-w.slot:
		return own, nil
	case <-ctx.Done():
	}
	if s.leave(w) {
		return false, ctx.Err()
	}
	return <-w.slot, nil // its turn had come already
}

// leave takes a waiter out of the queue and reports whether it was still there.
func (s *asymmetricSlots) leave(w *slotWaiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, w)
	if i < 0 {
		return false
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	if w.counted {
		s.waiting--
	}
	return true
}

// release gives a slot to who waits longest.
func (s *asymmetricSlots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.free++
		return
	}
	s.first().slot <- true
}

// nextWork takes the work of who waits longest for a group that has so many pieces, or nil if that one wants the slot.
// For each slot more must wait than the group has: these are done while those of the group are answered and ask again.
// Otherwise the slot would have nothing to do then.
func (s *asymmetricSlots) nextWork(group int) *slotWaiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) <= group*s.slots || s.queue[0].work == nil {
		return nil
	}
	return s.first()
}

// first takes the first out of the queue.
func (s *asymmetricSlots) first() *slotWaiter {
	w := s.queue[0]
	s.queue[0] = nil
	s.queue = s.queue[1:]
	if w.counted {
		s.waiting--
	}
	return w
}
