package migrate

import (
	"fmt"
	"os"
	"time"
)

// Pulse is whether a run is at work, as far as this system can tell.
type Pulse struct {
	// UnderWay says that a run has the journal now; missing where nobody knows.
	UnderWay *bool `json:"under_way,omitempty"`
	// CheckpointAge is how many seconds ago that run's last checkpoint was; missing if there is no such run, or no checkpoint.
	CheckpointAge *int64 `json:"checkpoint_age_seconds,omitempty"`
}

// Observe reads a journal as [EachFailure] does, and says whether a run is at work. A run that starts meanwhile is not
// disturbed.
func Observe(path string, each func(Failure) error) (header Header, history History, pulse Pulse, err error) {
	pulse.UnderWay = underWay(path) // first: a run that ends before the journal is read is done there
	header, history, err = EachFailure(path, each)
	if is := pulse.UnderWay; err == nil && is != nil && *is {
		pulse.CheckpointAge = ageOf(history.lastTime(), time.Now())
	}
	return header, history, pulse, err
}

// underWay says whether a run has a journal; nil: nobody knows.
func underWay(path string) *bool {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	is, known := announced(file)
	if !known {
		return nil
	}
	return &is
}

// ageOf is how many whole seconds ago a moment was, by this clock; nil: there was none.
func ageOf(at, now time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	age := max(int64(now.Sub(at)/time.Second), 0) // the mover's clock may be ahead
	return &age
}

// unfinished says in words how a run stands that is not done.
func (p Pulse) unfinished() string {
	switch {
	case p.UnderWay == nil:
		return "not done: the same command goes on"
	case !*p.UnderWay:
		return "ended before it was done: the same command goes on"
	case p.CheckpointAge == nil:
		return "a run is at work on it now, and has no checkpoint yet"
	}
	return fmt.Sprintf("a run is at work on it now, and its last checkpoint was %s ago", time.Duration(*p.CheckpointAge)*time.Second)
}
