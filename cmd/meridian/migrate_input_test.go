package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/spf13/cobra"
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

// A file is not read any more once nobody waits for it, however much of nothing it unpacks to.
func TestInputEndsWithItsContext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rows")
	if err := os.WriteFile(name, []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	in, err := openInput(ctx, &cobra.Command{}, name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := io.ReadFull(in, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := in.Read(make([]byte, 2)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A FIFO is waited for until somebody writes to it, and then for each row, as long as nobody ends that.
func TestInputOfAFIFO(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openInput(ctx, &cobra.Command{}, fifo); err == nil || exitOf(err) != exitInterrupted {
		t.Errorf("nobody writes: %v", err)
	}
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0) // also for what is left behind
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	ctx, cancel = context.WithCancel(t.Context())
	in, err := openInput(ctx, &cobra.Command{}, fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := writer.WriteString("row"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(in, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a silent writer: %v", err)
	}
	if _, err := openInput(t.Context(), &cobra.Command{}, fifo+".none"); err == nil || exitOf(err) != exitUsage {
		t.Errorf("no file: %v", err)
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
