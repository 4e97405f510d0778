package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"
)

// stdStream is the name of standard input and output.
const stdStream = "-"

// rowInput is a file of rows, or standard input.
type rowInput struct {
	ctx    context.Context // ends the next read: what is packed well may unpack to empty lines for minutes
	source io.Reader
	file   *os.File // nil for standard input
	size   int64    // bytes; 0 where nobody knows
	stop   func()   // ends a read under way, where it may wait for long
	read   atomic.Int64
	ofRows bool // size and read are rows
}

// countRows is for a table, which has about so many rows and no bytes.
func (in *rowInput) countRows(rows int64) { in.ofRows, in.size = true, max(rows, 0) }

// at says how far a run is.
func (in *rowInput) at(rows int64) int64 {
	if in.ofRows {
		in.read.Store(min(rows, in.size))
	}
	return in.read.Load()
}

// openInput opens what INPUT names. What is no regular file can be waited for as long as ctx goes on.
func openInput(ctx context.Context, c *cobra.Command, path string) (*rowInput, error) {
	if path == stdStream {
		in := &rowInput{}
		in.readPatiently(ctx, c.InOrStdin())
		return in, nil
	}
	in, err := openRowFile(ctx, path)
	return in, unreadable(ctx, "input", err)
}

// unreadable is the error about a file of rows that cannot be read from its beginning on, unless somebody waited for it no
// more.
func unreadable(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &exitError{exitInterrupted, errors.New("interrupted; nothing was done")}
	}
	return usageError("%s: %w", what, err)
}

// openRowFile opens a file of rows.
func openRowFile(ctx context.Context, path string) (*rowInput, error) {
	file, err := openPatiently(ctx, path)
	if err != nil {
		return nil, err
	}
	in := &rowInput{ctx: ctx, source: file, file: file}
	info, err := file.Stat()
	switch {
	case err == nil && info.IsDir():
		_ = file.Close() // nothing was read
		return nil, fmt.Errorf("%s is a folder; --dir is for files that hold one ciphertext each", path)
	case err == nil && info.Mode().IsRegular():
		in.size = info.Size() // for the bar
	default:
		in.readPatiently(ctx, file)
	}
	return in, nil
}

// readPatiently reads what can be waited for.
func (in *rowInput) readPatiently(ctx context.Context, r io.Reader) {
	ctx, in.stop = context.WithCancel(ctx)
	in.source = newPatientReader(ctx, r)
}

// openPatiently opens a file, until ctx ends: a FIFO is not open before somebody writes to it. That open is left behind, for
// there is no way to end it.
func openPatiently(ctx context.Context, path string) (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	opened := make(chan result)
	go func() {
		file, err := os.Open(path)
		select {
		case opened <- result{file, err}:
		case <-ctx.Done():
			_ = file.Close() // nobody has it
		}
	}()
	select {
	case r := <-opened:
		return r.file, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Read reads, and counts for the bar.
func (in *rowInput) Read(p []byte) (int, error) {
	if in.ctx != nil && in.ctx.Err() != nil {
		return 0, in.ctx.Err()
	}
	n, err := in.source.Read(p)
	in.read.Add(int64(n))
	return n, err
}

// Close closes a file.
func (in *rowInput) Close() error {
	if in.stop != nil {
		in.stop()
	}
	if in.file == nil {
		return nil
	}
	return in.file.Close()
}

// patientReader reads what may have nothing to say for a long time, until ctx ends. A read under way then is left behind:
// there is no way to end it, and the process ends soon.
type patientReader struct {
	ctx   context.Context
	reads chan readResult
	turn  chan []byte // a buffer for the next read
	rest  []byte
	whole []byte
	err   error
}

type readResult struct {
	n   int
	err error
}

func newPatientReader(ctx context.Context, r io.Reader) *patientReader {
	p := &patientReader{ctx: ctx, reads: make(chan readResult), turn: make(chan []byte), whole: make([]byte, 64<<10)}
	go func() {
		for {
			select {
			case buffer := <-p.turn:
				n, err := r.Read(buffer)
				select {
				case p.reads <- readResult{n, err}:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return p
}

func (p *patientReader) Read(to []byte) (int, error) {
	if len(p.rest) == 0 && p.err == nil {
		p.fill()
	}
	if len(p.rest) == 0 {
		return 0, p.err
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// fill waits for the next bytes.
func (p *patientReader) fill() {
	select {
	case p.turn <- p.whole:
	case <-p.ctx.Done():
		p.err = p.ctx.Err()
		return
	}
	select {
	case got := <-p.reads:
		p.rest, p.err = p.whole[:got.n], got.err
	case <-p.ctx.Done():
		p.err = p.ctx.Err()
	}
}
