package api

import (
	"bytes"
	"testing"
	"time"

	"meridian/cluster/api/batch"
)

// Batches that wait for a slot keep their part of a budget, which is theirs alone, until they are answered.
func TestBatchesInFlight(t *testing.T) {
	b := newBatches(t)
	s := b.server
	if s.ofRows.limit != maxRowsInFlight {
		t.Errorf("limit %d", s.ofRows.limit)
	}
	body := append(batch.AppendBytes(nil, b.public), bytes.Repeat([]byte{0}, 4*batch.MaxRows)...)
	for range s.asymmetric.slots {
		if _, err := s.asymmetric.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	ask := func() {
		_, err := b.rows(t, "ExportDataKeys", body)
		done <- err
	}
	waiting := func() int {
		s.asymmetric.mu.Lock()
		defer s.asymmetric.mu.Unlock()
		return s.asymmetric.waiting
	}
	awaitWaiting := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); waiting() != n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d batches wait for a slot", waiting())
			}
		}
	}
	go ask()
	awaitWaiting(1)
	one := s.ofRows.inFlight.Load()
	if one < int64(len(body)) || s.bodies.inFlight.Load() != 0 {
		t.Errorf("a batch that waits has %d bytes of its budget and %d of that of others", one, s.bodies.inFlight.Load())
	}
	s.ofRows.limit = 2 * one
	go ask()
	awaitWaiting(2)
	if _, err := b.rows(t, "ExportDataKeys", body); refusal(err) != CodeRejectedThrottling {
		t.Errorf("one past the limit: %v", err)
	}
	b.ok(t, "Encrypt", params{"KeyId": b.newKey(t), "Plaintext": "AA=="})
	for range s.asymmetric.slots {
		s.asymmetric.release()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("within the limit: %v", err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); s.ofRows.inFlight.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of bodies are in flight", s.ofRows.inFlight.Load())
		}
	}
}
