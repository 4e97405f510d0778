//go:build faults

package faults

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// launcher starts processes that do not outlive the test: the kernel kills them
// when the thread that started them ends, and a pipe that is held open here
// tells servers that run below another program, such as strace.
type launcher struct {
	starts chan func()
	pipe   [2]*os.File // theirs, ours
	inode  uint64
	done   sync.WaitGroup
}

func newLauncher() (*launcher, error) {
	l := &launcher{starts: make(chan func())}
	var err error
	if l.pipe[0], l.pipe[1], err = os.Pipe(); err != nil {
		return nil, err
	}
	info, err := l.pipe[0].Stat()
	if err != nil {
		return nil, err
	}
	l.inode = info.Sys().(*syscall.Stat_t).Ino
	l.done.Go(func() {
		runtime.LockOSThread() // and never unlocked: it ends with the goroutine
		for start := range l.starts {
			start()
		}
	})
	return l, nil
}

func (l *launcher) close() {
	close(l.starts)
	l.done.Wait()
	_ = l.pipe[1].Close()
	_ = l.pipe[0].Close()
}

// process is a running or ended program.
type process struct {
	cmd  *exec.Cmd
	pid  int // of the server itself, which may run below another program
	done chan struct{}
	err  error // of Wait, once done
}

// start runs a command, its output appended to a file.
func (l *launcher) start(logFile string, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{l.pipe[0]}
	cmd.Env = append(os.Environ(), "MERIDIAN_PARENT_PIPE=3:"+strconv.FormatUint(l.inode, 10))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	l.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// dead says whether the server has ended, even if its tracer still holds it.
func (p *process) dead() bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/stat")
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(state, "Z") || !p.running()
}

// signal sends a signal to the server; one that has ended is no error.
func (p *process) signal(s syscall.Signal) {
	if p.running() {
		_ = syscall.Kill(p.pid, s)
	}
}

// kill ends the server, and what it runs below, with SIGKILL.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	if p.pid != p.cmd.Process.Pid {
		select {
		case <-p.done: // a tracer ends with it, after writing its log
		case <-time.After(5 * time.Second):
			_ = p.cmd.Process.Kill()
		}
	}
	<-p.done
}

// ending says how the process ended; call it after done.
func (p *process) ending() string {
	<-p.done
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}
