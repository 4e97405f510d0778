package migrate

import (
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// stateOf is what is said of a run by its journal.
func stateOf(t *testing.T, path string) (string, Pulse) {
	t.Helper()
	_, history, pulse, err := Observe(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return State(history.Last().Done, pulse, Back{}), pulse
}

// Who looks at a journal sees whether a run has it now, and how old its last checkpoint is.
func TestPulse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := CreateJournal(path, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, underWay bool, want string) Pulse {
		t.Helper()
		state, pulse := stateOf(t, path)
		if state != want || pulse.UnderWay == nil || *pulse.UnderWay != underWay {
			t.Errorf("%s: %q, %+v; want %q", when, state, pulse, want)
		}
		return pulse
	}
	checkpoint := func(done bool, ago time.Duration) {
		t.Helper()
		if err := j.Checkpoint(Checkpoint{Rows: 1, Done: done}, Since{At: now().Add(-ago)}); err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		t.Helper()
		if err := j.Start(Start{At: now()}); err != nil {
			t.Fatal(err)
		}
	}
	start()
	check("before a checkpoint", true, "a run is at work on it now, and has no checkpoint yet")
	checkpoint(false, -time.Hour) // by a clock that is ahead
	check("at a checkpoint", true, "a run is at work on it now, and its last checkpoint was 0s ago")
	checkpoint(false, 24*time.Hour+time.Second/2)
	if age := check("a day later", true, "a run is at work on it now, and its last checkpoint was 24h0m0s ago").CheckpointAge; age == nil || *age != 24*60*60 {
		t.Errorf("%v seconds", age)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if age := check("ended", false, "ended before it was done: the same command goes on").CheckpointAge; age != nil {
		t.Errorf("an age of %d seconds", *age)
	}
	if j, _, err = OpenJournal(path, testHeader); err != nil {
		t.Fatal(err)
	}
	start()
	check("gone on", true, "a run is at work on it now, and its last checkpoint was 24h0m0s ago")
	checkpoint(true, 0)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	check("done", false, "done")
	if state := State(false, Pulse{}, Back{}); state != "not done: the same command goes on" {
		t.Errorf("where nobody knows: %q", state)
	}
}

// Looking at a journal never keeps a run from having it.
func TestPulseDisturbsNoRun(t *testing.T) {
	path, _, _ := writeJournal(t)
	stop := make(chan struct{})
	var lookers sync.WaitGroup
	for range 4 {
		lookers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if underWay(path) == nil {
					t.Error("nobody knows")
					return
				}
			}
		})
	}
	for i := range 2000 {
		j, _, err := OpenJournal(path, testHeader)
		if err != nil {
			t.Errorf("start %d: %v", i, err)
			break
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	lookers.Wait()
}
