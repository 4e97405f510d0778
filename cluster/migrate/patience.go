package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Times for which a region is waited for.
const (
	// StartPatience is for what is asked before any row is, and for a region that has not answered since the start. Nothing
	// is under way that would have to be finished, and its address may be wrong; but it gets the time of an election of its
	// leader, several times over.
	StartPatience = 30 * time.Second
	// attemptTime is for one that has: it bounds what a row waits for both of its calls, long outages included. The run ends
	// then and goes on later.
	attemptTime = 10 * time.Minute
	// firstWord is after how long somebody is told that it does not answer.
	firstWord = 5 * time.Second
	// nextWord is how long after that somebody is told again, if it has answered meanwhile.
	nextWord = time.Minute
)

// patience is how long a region is waited for that has answered, and how long until the first word about it.
type patience struct{ row, word time.Duration }

// errGaveUp ends what waits for a region.
var errGaveUp = errors.New("the region was waited for in vain")

// RegionError is an error of a call, with the region that was called.
type RegionError struct {
	Region string
	Err    error
}

func (e *RegionError) Error() string { return e.Region + ": " + e.Err.Error() }

func (e *RegionError) Unwrap() error { return e.Err }

// NoAnswerError says that a region was waited for in vain. It is about no request, whatever the last error says.
type NoAnswerError struct {
	Region    string
	Endpoints []string // that were asked
	Waited    time.Duration
	Last      error // nil if no attempt has ended
}

func (e *NoAnswerError) Error() string {
	text := fmt.Sprintf("region %s did not answer for %s; asked were %s", e.Region, e.Waited.Round(time.Second), strings.Join(e.Endpoints, ", "))
	if e.Last != nil {
		text += "; the last error: " + e.Last.Error()
	}
	return text
}

// silence knows whether a region answers.
type silence struct {
	mu       sync.Mutex
	answered time.Time // the last time; zero: never
	told     time.Time // that somebody was told of it, the last time
	last     error     // of the attempts since it answered
}

// heard notes an answer.
func (s *silence) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered, s.last = time.Now(), nil
}

// failed notes an attempt without one.
func (s *silence) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = err
}

// ever says whether there was an answer, and lastly what the attempts since the last one ended with.
func (s *silence) ever() (answered bool, last error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.answered.IsZero(), s.last
}

// tell says whether somebody is to be told now, and else after how long that is to be seen again; 0: not at all.
func (s *silence) tell(now time.Time, word time.Duration) (tell bool, again time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.told.IsZero() && (!s.answered.After(s.told) || now.Sub(s.told) < nextWord):
		return false, 0
	case now.Sub(s.answered) < word: // others are answered
		return false, word - now.Sub(s.answered)
	}
	s.told = now
	return true, 0
}

// inWait is a call that waits for an answer.
type inWait struct {
	of     *Region
	began  time.Time
	giveUp context.CancelCauseFunc

	mu     sync.Mutex
	timers []*time.Timer
	ended  bool
}

// wait begins to wait for a region: the context ends when that takes too long.
func (r *Region) wait(ctx context.Context) (context.Context, *inWait) {
	ctx, giveUp := context.WithCancelCause(ctx)
	w := &inWait{of: r, began: time.Now(), giveUp: giveUp}
	w.after(r.patience.word, w.tell)
	w.after(r.patience.row, func() { giveUp(errGaveUp) })
	w.after(r.StartPatience, func() {
		if answered, _ := r.silence.ever(); !answered {
			giveUp(errGaveUp)
		}
	})
	return ctx, w
}

// after does something later, unless the waiting has ended.
func (w *inWait) after(pause time.Duration, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.timers = append(w.timers, time.AfterFunc(pause, do))
	}
}

// tell tells somebody that the region does not answer.
func (w *inWait) tell() {
	tell, again := w.of.silence.tell(time.Now(), w.of.patience.word)
	switch {
	case tell && w.of.Silent != nil:
		w.of.Silent(w.inVain())
	case again > 0:
		w.after(again, w.tell)
	}
}

// inVain is what is wrong after so long.
func (w *inWait) inVain() *NoAnswerError {
	_, last := w.of.silence.ever()
	return &NoAnswerError{Region: w.of.ID, Endpoints: w.of.endpoints, Waited: time.Since(w.began), Last: last}
}

// end ends the waiting, and says what came of it.
func (w *inWait) end(err error) error {
	w.mu.Lock()
	w.ended = true
	for _, timer := range w.timers {
		timer.Stop()
	}
	w.mu.Unlock()
	w.giveUp(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errGaveUp), errors.Is(err, context.DeadlineExceeded): // that of the row; an attempt's is no end
		return w.inVain()
	}
	return &RegionError{w.of.ID, err}
}
