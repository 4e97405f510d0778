package main

import (
	"context"
	"io"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"
)

// stdStream is the name of standard input and output.
const stdStream = "-"

// rowInput is a file of rows, or standard input.
type rowInput struct {
	source io.Reader
	file   *os.File // nil for standard input
	size   int64    // bytes; 0 where nobody knows
	stop   func()   // ends a read under way, where it may wait for long
	read   atomic.Int64
}

// openInput opens what INPUT names. Standard input can be waited for as long as ctx goes on.
func openInput(ctx context.Context, c *cobra.Command, path string) (*rowInput, error) {
	if path == stdStream {
		reading, stop := context.WithCancel(ctx)
		return &rowInput{source: newPatientReader(reading, c.InOrStdin()), stop: stop}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, usageError("input: %w", err)
	}
	in := &rowInput{source: file, file: file}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() { // the size is for the bar alone
		in.size = info.Size()
	}
	return in, nil
}

// Read reads, and counts for the bar.
func (in *rowInput) Read(p []byte) (int, error) {
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
