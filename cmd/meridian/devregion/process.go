package devregion

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ParentPipe is the environment variable by which a server knows the pipe that
// tells it that whoever started it is gone: the descriptor and the pipe's inode,
// FD:INODE. A server that is started again by hand finds no such pipe and
// ignores it.
const ParentPipe = "MERIDIAN_PARENT_PIPE"

// Launcher starts server processes that do not outlive it: the kernel kills
// them when this process dies, however it dies, and where it cannot, the end of
// a pipe tells them.
type Launcher struct {
	Binary string   // the meridian executable
	Env    []string // of the servers; nil: this process's own
	Args   []string // further arguments of each server, such as --set ...

	once    sync.Once
	err     error
	pipe    *os.File // our end, closed only by Close or our death
	theirs  *os.File
	inode   uint64
	starts  chan func()
	stopped chan struct{}
}

// open starts the thread that starts processes. The kernel's "kill it when its
// parent dies" goes by thread, so it must be one that lives as long as we do.
func (l *Launcher) open() error {
	l.once.Do(func() {
		if l.theirs, l.pipe, l.err = os.Pipe(); l.err != nil {
			return
		}
		info, err := l.theirs.Stat()
		if err != nil {
			l.err = err
			return
		}
		l.inode = info.Sys().(*syscall.Stat_t).Ino
		l.starts, l.stopped = make(chan func()), make(chan struct{})
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			defer close(l.stopped)
			for start := range l.starts {
				start()
			}
		}()
	})
	return l.err
}

// Close lets go of the processes' lifeline; stop them before.
func (l *Launcher) Close() {
	if l.open() != nil {
		return
	}
	close(l.starts)
	<-l.stopped
	_ = l.pipe.Close()   // a pipe: nothing to lose
	_ = l.theirs.Close() // likewise
}

// Process is one running or ended server.
type Process struct {
	Node *Node
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of Wait, once done
}

// Start starts a node's server. Its log goes to the node's log file, behind
// what is there.
func (l *Launcher) Start(n *Node) (*Process, error) {
	if err := l.open(); err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(n.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close() // the process has its own copy

	cmd := exec.Command(l.Binary, append([]string{"server", "--config", n.ConfigFile}, l.Args...)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = []*os.File{l.theirs}
	cmd.Env = l.Env
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(ServerEnvironment(cmd.Env), ParentPipe+"=3:"+strconv.FormatUint(l.inode, 10))
	dieWithParent(cmd)

	started := make(chan error)
	l.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("node %s: %w", n.ID, err)
	}
	p := &Process{Node: n, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running says whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Ending says how the process ended, such as "exit status 1"; call it after
// Done.
func (p *Process) Ending() string {
	<-p.done
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// Kill ends the process with SIGKILL and waits for it.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended already
	<-p.done
}

// Signal sends a signal; one that ended already is no error.
func (p *Process) Signal(s os.Signal) {
	_ = p.cmd.Process.Signal(s) // an error means that it has ended already
}

// StopAll asks every process to stop cleanly and kills those that have not
// after grace. It answers the nodes that had to be killed.
func StopAll(processes []*Process, grace time.Duration) (killed []*Node) {
	for _, p := range processes {
		p.Signal(syscall.SIGTERM)
	}
	deadline := time.After(grace)
	for i, p := range processes {
		select {
		case <-p.done:
		case <-deadline:
			for _, late := range processes[i:] {
				if late.Running() {
					killed = append(killed, late.Node)
					late.Kill()
				}
			}
			return killed
		}
	}
	return nil
}

// WaitReady waits until every process can decrypt. It fails as soon as one has
// ended, naming the node and the end of its log, and when ctx is done, naming
// those that are not ready.
func WaitReady(ctx context.Context, processes []*Process) error {
	client := &http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	waiting := processes
	for {
		var late []*Process
		var reasons []string
		for _, p := range waiting {
			if !p.Running() {
				return fmt.Errorf("node %s ended before it was ready (%s)%s", p.Node.ID, p.Ending(), p.Node.LogTail())
			}
			if reason := p.Node.notReady(ctx, client); reason != "" {
				late = append(late, p)
				reasons = append(reasons, p.Node.ID+": "+reason)
			}
		}
		if waiting = late; len(waiting) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s", strings.Join(reasons, "; "))
		case <-ticker.C:
		}
	}
}

// notReady asks the node whether it can decrypt; "" is yes.
func (n *Node) notReady(ctx context.Context, client *http.Client) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.OpsURL()+"/readyz", nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return "no answer yet"
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return err.Error()
	}
	if resp.StatusCode == http.StatusOK {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// LogTail is the end of the node's log, to be put behind a message; "" if there
// is none.
func (n *Node) LogTail() string {
	text, err := os.ReadFile(n.LogFile)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "; the end of " + n.LogFile + ":\n  " + strings.Join(lines[max(0, len(lines)-5):], "\n  ")
}
