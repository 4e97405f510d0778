package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// drainLimit bounds how long a stopping node waits for Raft to answer what it
// was given. A leader that is cut off answers when its lease ends.
const drainLimit = 2 * time.Second

// futures keeps account of what Raft owes an answer to, and of writes that wait for
// the other nodes after it. Raft never answers an
// entry that stands in its queue when it shuts down, so a node first stops
// giving, then waits for the answers, then shuts Raft down.
type futures struct {
	mu      sync.Mutex
	closed  bool
	pending int
	idle    chan struct{} // closed when the last answer came after close
}

// begin reports whether Raft may still be given something; end is called when it
// was answered.
func (f *futures) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.pending++
	return true
}

func (f *futures) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pending--; f.pending == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// close lets nothing more begin and waits for the answers, at most for limit.
func (f *futures) close(limit time.Duration) {
	f.mu.Lock()
	f.closed = true
	if f.pending == 0 {
		f.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	f.idle = idle
	f.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(limit):
	}
}

// give starts something in Raft and waits for its answer, at most until ctx ends.
func (f *futures) give(ctx context.Context, start func() raft.Future) error {
	if !f.begin() {
		return raft.ErrRaftShutdown
	}
	done := make(chan error, 1)
	go func() {
		defer f.end()
		done <- start().Error()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
