package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// What is read patiently is what there is, up to its end or its error.
func TestPatientReader(t *testing.T) {
	text := bytes.Repeat([]byte("rows\n"), 50_000)
	got, err := io.ReadAll(newPatientReader(t.Context(), iotest.HalfReader(bytes.NewReader(text))))
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
	broken := errors.New("broken")
	got, err = io.ReadAll(newPatientReader(t.Context(), io.MultiReader(bytes.NewReader(text), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) || !bytes.Equal(got, text) {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
}

// A patient reader that waits for what never comes stops waiting when it is asked to.
func TestPatientReaderIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	silent, end := io.Pipe()
	defer end.Close()
	p := newPatientReader(ctx, silent)
	go func() {
		_, _ = end.Write([]byte("x")) // it is read below
		cancel()
	}()
	got, err := io.ReadAll(p)
	if !errors.Is(err, context.Canceled) || len(got) > 1 {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("once more: %d, %v", n, err)
	}
}
