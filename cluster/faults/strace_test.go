//go:build faults

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// tracer is strace on a running server. It tampers with system calls on the
// files of the server's state.
type tracer struct {
	cmd  *exec.Cmd
	out  string
	done chan struct{}
}

// trace attaches strace with further arguments, such as an injection, and
// returns once it is in effect. calls are the system calls that are traced, files
// the ones that are tampered with.
func (r *run) trace(n *node, calls string, files []string, args ...string) *tracer {
	r.Helper()
	t := &tracer{out: fmt.Sprintf("%s.strace.%d", n.log, time.Now().UnixNano()), done: make(chan struct{})}
	command := []string{"-f", "-p", fmt.Sprint(n.proc.pid), "-o", t.out, "-e", "trace=" + calls}
	for _, f := range files {
		command = append(command, "-P", f)
	}
	t.cmd = exec.Command("strace", append(command, args...)...)
	var said strings.Builder
	t.cmd.Stderr = &said
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := t.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	go func() {
		_ = t.cmd.Wait()
		close(t.done)
	}()
	attached := eventually(10*time.Second, func() bool { return tracedBy(n.proc.pid) == t.cmd.Process.Pid || t.ended() })
	// An injection may end the server, and strace with it, before anybody looks.
	if attached && t.ended() {
		attached = strings.Contains(said.String(), " attached") && eventually(5*time.Second, n.proc.dead)
	}
	if !attached {
		t.detach()
		r.Fatalf("strace does not trace %s: %s", n.id, said.String())
	}
	return t
}

func (t *tracer) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// detach ends the injection.
func (t *tracer) detach() {
	_ = t.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-t.done:
	case <-time.After(5 * time.Second):
		_ = t.cmd.Process.Kill()
		<-t.done
	}
}

// kill ends strace without waiting for a delay to be over.
func (t *tracer) kill() {
	_ = t.cmd.Process.Kill()
	<-t.done
}

// injected counts the calls that were tampered with.
func (t *tracer) injected() int {
	text, _ := os.ReadFile(t.out)
	return strings.Count(string(text), "(INJECTED)") + strings.Count(string(text), "(DELAYED)")
}

// tracedBy is the process that traces all threads of another, 0 if none does or
// not yet all.
func tracedBy(pid int) int {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0
	}
	var by int
	for _, thread := range threads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, thread.Name()))
		if err != nil {
			return 0
		}
		_, rest, _ := strings.Cut(string(text), "TracerPid:")
		var tracer int
		if _, err := fmt.Sscan(rest, &tracer); err != nil || tracer == 0 {
			return 0
		}
		by = tracer
	}
	return by
}
