package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Times that a helper is given to end by itself, and then after it was asked to.
const (
	helperGrace = 10 * time.Second
	helperEnd   = 5 * time.Second
)

// helper is a program of the user's that this process has started, in a process group of its own: Ctrl-C on a terminal is
// for the run, which ends its helpers when it has no more to do with them.
type helper struct {
	name   string // for errors
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	output io.Closer    // what stdout reads
	wait   func() error // until it has ended; says how, if that was not with exit code 0

	mu    sync.Mutex
	ended bool
	asked bool // it was asked to end, so that how it ends says nothing
}

// helpers are those that this process has started and may have to kill.
type helpers struct {
	mu     sync.Mutex
	all    []*helper
	killed bool
}

// start is startHelper, unless all are killed.
func (s *helpers) start(command, verb string, stderr io.Writer, input bool) (*helper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return nil, ErrStopped
	}
	h, err := startHelper(command, verb, stderr, input)
	if err == nil {
		s.all = append(s.all, h)
	}
	return h, err
}

// kill kills all, now and later.
func (s *helpers) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed = true
	for _, h := range s.all {
		h.signal(syscall.SIGKILL)
	}
}

// startHelper starts a command line of the shell with one more argument. Its standard error goes to stderr.
func startHelper(command, verb string, stderr io.Writer, input bool) (*helper, error) {
	h := &helper{name: fmt.Sprintf("%q %s", command, verb)}
	h.cmd = exec.Command("/bin/sh", "-c", command+` "$@"`, "sh", verb)
	h.cmd.Stderr = stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.cmd.WaitDelay = helperEnd
	h.wait = sync.OnceValue(h.waitOnce)
	var err error
	if input {
		if h.stdin, err = h.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.stdout, h.output = bufio.NewReaderSize(stdout, 64<<10), stdout
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.name, err)
	}
	return h, nil
}

// waitOnce waits. The program's output was read to its end, or nobody wants it any more.
func (h *helper) waitOnce() error {
	err := h.cmd.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	if err == nil || h.asked || errors.Is(err, exec.ErrWaitDelay) { // it has ended well, and what it has left behind holds its standard error
		return nil
	}
	return fmt.Errorf("%s: %w", h.name, err)
}

// stop asks the program to end, and all that it has started, and kills later what did not.
func (h *helper) stop() {
	h.mu.Lock()
	if h.signalLocked(syscall.SIGTERM) {
		h.asked = true
	}
	h.mu.Unlock()
	time.AfterFunc(helperEnd, func() {
		h.signal(syscall.SIGKILL)
		_ = h.output.Close() // a process that has left the group may hold the other end
	})
}

// drain reads what else the program has to say, which nobody wants, and waits for it.
func (h *helper) drain() error {
	go func() { _, _ = io.Copy(io.Discard, h.stdout) }() // until the program has ended: wait closes its output then
	return h.wait()
}

// wasAsked says that the program was asked to end.
func (h *helper) wasAsked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked
}

// signal sends a signal to the program and all that it has started, unless it has ended.
func (h *helper) signal(s syscall.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signalLocked(s)
}

// signalLocked is signal for who holds mu. It reports whether there was anybody.
func (h *helper) signalLocked(s syscall.Signal) bool {
	return !h.ended && syscall.Kill(-h.cmd.Process.Pid, s) == nil
}

// finish closes the program's input and lets it end by itself, for a time.
func (h *helper) finish(grace time.Duration) error {
	err := h.stdin.Close()
	late := time.AfterFunc(grace, h.stop)
	defer late.Stop()
	waitErr := h.drain()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked && waitErr == nil {
		return fmt.Errorf("%s did not end after its input had", h.name)
	}
	return errors.Join(err, waitErr)
}

// stopAfter stops the program some time after ctx has ended, so that nobody waits for one that hangs. The function that
// it returns gives that up.
func (h *helper) stopAfter(ctx context.Context, grace time.Duration) (giveUp func() bool) {
	return context.AfterFunc(ctx, func() { time.AfterFunc(grace, h.stop) })
}

// inTurn has writers write one after the other.
type inTurn struct {
	mu sync.Mutex
	to io.Writer
}

func (w *inTurn) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}
