//go:build faults

package faults

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait: far beyond what is normal, so that only a fault
// of the region reaches it.
const patience = 60 * time.Second

var opsClient = &http.Client{Timeout: 2 * time.Second}

// eventually waits until a condition holds and says whether it does.
func eventually(within time.Duration, holds func() bool) bool {
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true
}

// start starts servers, or starts them again, and does not wait for them.
func (r *region) start(nodes ...*node) {
	r.t.Helper()
	for _, n := range nodes {
		command := []string{*binary, "server", "--config", n.config}
		if r.prefix != nil {
			command = append(r.prefix(n), command...)
		}
		p, err := r.launcher.start(n.log, command[0], command[1:]...)
		if err != nil {
			r.t.Fatalf("%s: %v", n.id, err)
		}
		if r.prefix != nil {
			p.pid = r.serverBelow(p)
		}
		n.proc = p
	}
}

// serverBelow finds the server that another program has started.
func (r *region) serverBelow(p *process) int {
	r.t.Helper()
	var pid int
	if !eventually(patience, func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.cmd.Process.Pid, p.cmd.Process.Pid))
		for field := range strings.FieldsSeq(string(text)) {
			exe, _ := os.ReadFile("/proc/" + field + "/cmdline")
			if strings.HasPrefix(string(exe), *binary+"\x00") {
				pid, _ = strconv.Atoi(field)
			}
		}
		return pid != 0 || !p.running()
	}) || pid == 0 {
		r.t.Fatal("the server did not start below its tracer")
	}
	return pid
}

// ready says whether a node can decrypt now; if not, why.
func (n *node) ready() (bool, string) {
	resp, err := opsClient.Get("http://" + n.ops + "/readyz")
	if err != nil {
		return false, "no answer"
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	return resp.StatusCode == http.StatusOK, strings.TrimSpace(string(text))
}

// waitReady waits until servers can decrypt and fails if one of them ends.
func (r *region) waitReady(nodes ...*node) {
	r.t.Helper()
	for _, n := range nodes {
		var reason string
		if !eventually(patience, func() bool {
			if !n.proc.running() {
				r.t.Fatalf("%s ended: %s%s", n.id, n.proc.ending(), n.logTail())
			}
			var ok bool
			ok, reason = n.ready()
			return ok
		}) {
			r.t.Fatalf("%s is not ready: %s%s", n.id, reason, n.logTail())
		}
	}
}

// metric reads one metric without labels of a node; false if there is no answer.
func (n *node) metric(name string) (float64, bool) {
	resp, err := opsClient.Get("http://" + n.ops + "/metrics")
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			value, err := strconv.ParseFloat(rest, 64)
			return value, err == nil
		}
	}
	return 0, false
}

func (n *node) leads() bool {
	value, ok := n.metric("meridian_raft_is_leader")
	return ok && value == 1
}

// leader waits until a node, other than those not wanted, leads.
func (r *region) leader(but ...*node) *node {
	r.t.Helper()
	var found *node
	if !eventually(patience, func() bool {
		found = nil
		for _, n := range r.without(but...) {
			if n.proc != nil && n.proc.running() && n.leads() {
				found = n
			}
		}
		return found != nil
	}) {
		r.t.Fatal("no node leads")
	}
	return found
}

// without is the region's nodes but some.
func (r *region) without(but ...*node) []*node {
	var list []*node
next:
	for _, n := range r.nodes {
		for _, b := range but {
			if n == b {
				continue next
			}
		}
		list = append(list, n)
	}
	return list
}

// kill ends servers with SIGKILL, as nearly at one instant as can be.
func (r *region) kill(nodes ...*node) {
	for _, n := range nodes {
		n.proc.signal(syscall.SIGKILL)
	}
	for _, n := range nodes {
		n.proc.kill()
	}
}

// stop stops servers cleanly.
func (r *region) stop(nodes ...*node) {
	r.t.Helper()
	for _, n := range nodes {
		n.proc.signal(syscall.SIGTERM)
	}
	for _, n := range nodes {
		select {
		case <-n.proc.done:
		case <-time.After(patience):
			r.t.Fatalf("%s did not stop%s", n.id, n.logTail())
		}
		if n.proc.ending() != "exit status 0" {
			r.t.Errorf("%s ended with %s%s", n.id, n.proc.ending(), n.logTail())
		}
	}
}

// logTail is the end of a node's log, to be put behind a message.
func (n *node) logTail() string {
	text, err := os.ReadFile(n.log)
	if err != nil || len(text) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "; the end of its log:\n  " + strings.Join(lines[max(0, len(lines)-8):], "\n  ")
}

// logged counts the lines of a node's log that hold a text.
func (n *node) logged(text string) int {
	all, _ := os.ReadFile(n.log)
	return strings.Count(string(all), text)
}

func (r *region) end() {
	for _, n := range r.nodes {
		if n.proc != nil {
			n.proc.signal(syscall.SIGCONT)
			n.proc.kill()
		}
	}
	r.links.close()
	r.launcher.close()
	if r.t.Failed() {
		r.keep()
	}
}

// keep copies the logs and data of a failed run beside its history.
func (r *region) keep() {
	to := keepDir(r.t.Name())
	if err := os.MkdirAll(to, 0o700); err != nil {
		r.t.Log(err)
		return
	}
	if out, err := exec.Command("cp", "-r", r.dir+"/.", to).CombinedOutput(); err != nil {
		r.t.Logf("keeping logs: %v %s", err, out)
	}
	r.t.Logf("logs and data are kept in %s", to)
}

func keepDir(test string) string {
	return filepath.Join(*keep, strings.ReplaceAll(test, "/", "-"))
}
