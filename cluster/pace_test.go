package cluster

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

func TestPacedWriterRestsAsLongAsItWorks(t *testing.T) {
	const chunks, work = 4, 20 * time.Millisecond
	slow := writerFunc(func(b []byte) (int, error) { time.Sleep(work); return len(b), nil })
	for _, hurry := range []bool{false, true} {
		began := time.Now()
		w := newPacedWriter(t.Context(), slow, func() bool { return hurry })
		for range chunks {
			if n, err := w.Write(make([]byte, paceBytes)); n != paceBytes || err != nil {
				t.Fatal(n, err)
			}
		}
		least := chunks * work
		if !hurry {
			least *= 2
		}
		if took := time.Since(began); took < least {
			t.Errorf("hurry %v: took %v, at least %v", hurry, took, least)
		}
	}
}

func TestPacedWriterEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	w := newPacedWriter(ctx, &out, func() bool { return false })
	if _, err := w.Write(make([]byte, paceBytes)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
