package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// queuedLines bounds the lines that wait for whoever reads the log.
	queuedLines = 4096
	// logFlushLimit is how long an ending server waits for that reader.
	logFlushLimit = time.Second
)

// logQueue hands lines to a writer that may block, such as a pipe that nobody
// reads: logging itself never waits. Beyond queuedLines, lines are dropped and
// counted. A write that fails loses its line and nothing else.
type logQueue struct {
	to    io.Writer
	lines chan []byte
	done  chan struct{}

	mu      sync.Mutex
	closed  bool
	dropped uint64 // since the last line that said so
}

func newLogQueue(to io.Writer) *logQueue {
	q := &logQueue{to: to, lines: make(chan []byte, queuedLines), done: make(chan struct{})}
	go q.run()
	return q
}

// Write takes one line.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return len(line), nil
	}
	select {
	case q.lines <- append([]byte(nil), line...):
	default:
		q.dropped++
	}
	return len(line), nil
}

func (q *logQueue) run() {
	defer close(q.done)
	for line := range q.lines {
		_, _ = q.to.Write(line) // nobody is left to tell
		q.mu.Lock()
		n := q.dropped
		q.dropped = 0
		q.mu.Unlock()
		if n > 0 {
			_, _ = fmt.Fprintf(q.to, "{\"level\":\"WARN\",\"msg\":\"Lines of the log were dropped: it is read too slowly.\",\"event\":\"log_lines_dropped\",\"lines\":%d}\n", n)
		}
	}
}

// Close takes no more lines and waits for those that are queued, no longer than
// logFlushLimit: a reader that has stopped must not keep a server from ending.
func (q *logQueue) Close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.lines)
	}
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(logFlushLimit):
	}
}
