package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// stuck is a writer that blocks until it is let go.
type stuck struct {
	release chan struct{}
	text    bytes.Buffer
}

func (s *stuck) Write(line []byte) (int, error) {
	<-s.release
	return s.text.Write(line)
}

func TestLogNeverWaitsForItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &stuck{release: make(chan struct{})}
		q := newLogQueue(to)
		for i := range queuedLines + 100 {
			fmt.Fprintf(q, "line %d\n", i) // blocks for ever if the queue does
		}
		q.Close() // gives up on a reader that has stopped
		close(to.release)
		<-q.done
		text := to.text.String()
		if !strings.HasPrefix(text, "line 0\n") || !strings.Contains(text, `"event":"log_lines_dropped","lines":`) {
			t.Errorf("the first lines, or the count of those that were dropped, are missing: %.100s", text)
		}
	})
}

func TestLogIsWholeWhenItIsRead(t *testing.T) {
	var out bytes.Buffer
	q := newLogQueue(&out)
	line := []byte("one\n")
	q.Write(line)
	copy(line, "two") // the caller's buffer is its own again
	q.Write([]byte("three\n"))
	q.Close()
	q.Write([]byte("late\n"))
	if out.String() != "one\nthree\n" {
		t.Errorf("log %q", out.String())
	}
}

type broken struct{ writes int }

func (b *broken) Write([]byte) (int, error) { b.writes++; return 0, errors.New("broken pipe") }

func TestLogGoesOnAfterAFailedWrite(t *testing.T) {
	to := new(broken)
	q := newLogQueue(to)
	for range 3 {
		if _, err := q.Write([]byte("line\n")); err != nil {
			t.Error(err)
		}
	}
	q.Close()
	if to.writes != 3 {
		t.Errorf("%d writes, want 3", to.writes)
	}
}
