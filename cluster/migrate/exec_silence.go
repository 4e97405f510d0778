package migrate

import (
	"sync"
	"time"
)

// SilentProgram says that a program has not answered for a row for some time, and is waited for.
type SilentProgram struct {
	Program string // its command line and what it was started with
	Row     int64
	Waited  time.Duration
}

// answerWatch tells of a program that does not answer, while one is waited for: after some seconds, and once a minute at
// the most.
type answerWatch struct {
	program string
	tell    func(SilentProgram) // nil: nobody
	word    time.Duration

	mu    sync.Mutex
	timer *time.Timer // nil while nothing is waited for
	row   int64
	since time.Time
	told  time.Time
}

// waitFor begins to wait for the answer for a row, in the place of the one before.
func (w *answerWatch) waitFor(row int64) {
	if w.tell == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.row, w.since = row, time.Now()
	if w.timer == nil {
		w.timer = time.AfterFunc(w.word, w.late)
	}
}

// stop waits for none any more.
func (w *answerWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// late looks whether somebody is to be told now, and when that is to be seen again.
func (w *answerWatch) late() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil { // it was too late to stop it
		return
	}
	now := time.Now()
	waited := now.Sub(w.since)
	again := max(w.word-waited, w.told.Add(nextWord).Sub(now))
	if again <= 0 {
		w.told, again = now, nextWord
		w.tell(SilentProgram{w.program, w.row, waited})
	}
	w.timer.Reset(again)
}
