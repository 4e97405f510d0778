package cluster

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPacedWriterRestsForAMultipleOfItsWork(t *testing.T) {
	for _, tc := range []struct {
		work  time.Duration
		hurry bool
		want  time.Duration // for each chunk
	}{
		{20 * time.Millisecond, false, 100 * time.Millisecond},
		{20 * time.Millisecond, true, 20 * time.Millisecond},
		{time.Second, false, time.Second + maxRest},
	} {
		synctest.Test(t, func(t *testing.T) {
			slow := writerFunc(func(b []byte) (int, error) { time.Sleep(tc.work); return len(b), nil })
			began := time.Now()
			w := newPacedWriter(t.Context(), slow, func() bool { return tc.hurry })
			const chunks = 4
			for range chunks {
				if n, err := w.Write(make([]byte, paceBytes)); n != paceBytes || err != nil {
					t.Fatal(n, err)
				}
			}
			if took := time.Since(began); took != chunks*tc.want {
				t.Errorf("work %v, hurry %v: took %v, want %v", tc.work, tc.hurry, took, chunks*tc.want)
			}
		})
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
