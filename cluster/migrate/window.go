package migrate

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Window is the hours of each day, in local time, in which a run may work. It may pass midnight.
type Window struct{ from, to int } // minutes since midnight; from is in it, to is not

// ParseWindow reads a window of the form HH:MM-HH:MM.
func ParseWindow(text string) (w Window, err error) {
	from, to, ok := strings.Cut(text, "-")
	if ok {
		w.from, ok = minutes(from)
	}
	if ok {
		w.to, ok = minutes(to)
	}
	switch {
	case !ok:
		return Window{}, fmt.Errorf("%q: write HH:MM-HH:MM, such as 22:00-06:00", text)
	case w.from == w.to:
		return Window{}, fmt.Errorf("%q: it is empty; leave it out to run at any time", text)
	}
	return w, nil
}

// minutes reads HH:MM.
func minutes(text string) (int, bool) {
	if len(text) != len("15:04") {
		return 0, false
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err == nil
}

// Open says whether a moment lies in the window.
func (w Window) Open(t time.Time) bool {
	at := t.Hour()*60 + t.Minute()
	if w.from < w.to {
		return w.from <= at && at < w.to
	}
	return w.from <= at || at < w.to
}

// Opens is the first moment from t on that lies in the window, by the clock on the wall: where a day skips the hour, it is
// the one after it.
func (w Window) Opens(t time.Time) time.Time {
	if w.Open(t) {
		return t
	}
	at := time.Date(t.Year(), t.Month(), t.Day(), 0, w.from, 0, 0, t.Location())
	if !at.After(t) {
		at = time.Date(t.Year(), t.Month(), t.Day()+1, 0, w.from, 0, 0, t.Location())
	}
	return at
}

// longestNap bounds how long a wait goes without looking at the clock again, which may have been set meanwhile.
const longestNap = time.Minute

// Wait returns in the window, or with the error of ctx. waits is called once if there is something to wait for.
func (w Window) Wait(ctx context.Context, waits func(until time.Time)) error {
	for told := false; ; told = true {
		now := time.Now()
		opens := w.Opens(now)
		if !opens.After(now) {
			return ctx.Err()
		}
		if !told {
			waits(opens)
		}
		nap := time.NewTimer(min(opens.Sub(now), longestNap))
		select {
		case <-nap.C:
		case <-ctx.Done():
			nap.Stop()
			return ctx.Err()
		}
	}
}
