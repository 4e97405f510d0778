package migrate

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Somebody is told of a program that does not answer, once, with the row that it was given.
func TestExecSilent(t *testing.T) {
	const rows = 12
	s := newStore(t, rows)
	s.put("bad", `[ "$id" != 000 ] || while [ ! -e go ]; do sleep 0.01; done`)
	cfg := s.config(nil)
	e := cfg.Medium.(*Exec)
	var told []SilentProgram
	e.word = 50 * time.Millisecond
	e.Silent = func(p SilentProgram) {
		told = append(told, p)
		s.put("go", "")
	}
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts.Moved != rows {
		t.Errorf("%+v, %v", last, err)
	}
	if len(told) != 1 || told[0].Row != 1 || !strings.Contains(told[0].Program, filepath.Join(s.folder, "program")) || !strings.HasSuffix(told[0].Program, " write") || told[0].Waited < e.word {
		t.Errorf("told %+v", told)
	}
	s.check(rows)
}

// A program that answers in time is not told of, one that does not is told of once a minute at the most.
func TestAnswerWatch(t *testing.T) {
	told := make(chan SilentProgram, 10)
	w := &answerWatch{program: "p", word: time.Millisecond, tell: func(p SilentProgram) { told <- p }}
	w.waitFor(1)
	if p := <-told; p.Row != 1 {
		t.Errorf("told %+v", p)
	}
	w.waitFor(2)
	w.late() // as the timer does
	w.stop()
	w.late()
	if len(told) != 0 {
		t.Errorf("told %+v again", <-told)
	}
	w.told = time.Now().Add(-nextWord)
	w.waitFor(3)
	if p := <-told; p.Row != 3 {
		t.Errorf("told %+v", p)
	}
	w.stop()
}
