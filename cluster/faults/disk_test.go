//go:build faults

package faults

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// The calls by which bbolt writes a page and makes pages durable.
const (
	callWrite = "pwrite64"
	callSync  = "fdatasync"
)

// stateFiles are the files that a write has to reach.
func stateFiles(n *node) []string {
	return []string{filepath.Join(n.data, "raft.db"), filepath.Join(n.data, "state.db")}
}

// victim is the leader and a follower in turn.
func (r *run) victim(i int) *node {
	leader := r.region.leader()
	if i%2 == 0 {
		return leader
	}
	return r.region.without(leader)[r.rand.IntN(2)]
}

// slowDisk delays every sync of one node.
func slowDisk(r *run) {
	for i := range rounds(2, 20) {
		n := r.victim(i)
		delay := r.between(20*time.Millisecond, 200*time.Millisecond)
		var injected int
		// A follower that cannot keep up gets no lease.
		r.broken("slow disk", []*node{n}, func() {
			t := r.trace(n, callSync, stateFiles(n), "-e", fmt.Sprintf("inject=%s:delay_exit=%d", callSync, delay.Microseconds()))
			r.settle(r.between(2*time.Second, 5*time.Second))
			t.detach()
			injected = t.injected()
		})
		if injected == 0 {
			r.Errorf("no sync of %s was delayed", n.id)
		}
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
}

// hangDisk has the syncs of one node never return. Its process ends by itself and
// another leads.
func hangDisk(r *run) {
	const farewell = "storage_failed"
	var ended, resumed []time.Duration
	for i := range rounds(2, 20) {
		n := r.victim(i)
		others := r.region.without(n)
		r.broken("hung disk", []*node{n}, func() {
			before, began := n.logged(farewell), time.Now()
			t := r.trace(n, callSync, stateFiles(n), "-e", "inject="+callSync+":delay_enter=600000000")
			writes := r.probeWrites(others)
			resumed = append(resumed, min(writes[0], writes[1]))
			// strace holds on to a thread whose call it delays: the process can say
			// that it ends, but is gone only after strace is.
			said := eventually(patience, func() bool { return n.logged(farewell) > before || n.proc.dead() })
			took := time.Since(began)
			t.kill()
			if said && eventually(5*time.Second, func() bool { return !n.proc.running() }) {
				ended = append(ended, took)
			} else {
				r.Errorf("%s goes on with a disk that hangs%s", n.id, n.logTail())
			}
			n.proc.kill()
			r.region.start(n)
			r.region.waitReady(n)
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
	_, longest := spread(ended)
	r.number("process ended, longest", "%v", longest)
	_, longest = spread(resumed)
	r.number("writes resumed, longest", "%v", longest)
}

// failDisk answers one write or sync of one node with EIO: each of the first
// ones, in turn. Its process ends, and what it had not acknowledged is decided by
// the others.
func failDisk(r *run) {
	steps := 12 // of some commits, one after the other
	if *short {
		steps = 2
	}
	i := 0
	for _, call := range []string{callWrite, callSync} {
		for step := 1; step <= steps; step++ {
			for range rounds(1, 4) {
				n := r.victim(i)
				i++
				r.broken(fmt.Sprintf("EIO at %s %d", call, step), []*node{n}, func() {
					t := r.trace(n, call, stateFiles(n), "-e", fmt.Sprintf("inject=%s:error=EIO:when=%d", call, step))
					select {
					case <-n.proc.done:
						if ending := n.proc.ending(); !strings.HasPrefix(ending, "exit status") || ending == "exit status 0" {
							r.Errorf("%s ended with %s after EIO at %s %d%s", n.id, ending, call, step, n.logTail())
						}
					case <-time.After(20 * time.Second):
						r.Errorf("%s goes on after EIO at %s %d; %d calls failed%s", n.id, call, step, t.injected(), n.logTail())
						n.proc.kill()
					}
					t.detach()
					r.region.start(n)
					r.region.waitReady(n)
				})
				r.settle(r.between(200*time.Millisecond, time.Second))
			}
		}
	}
}
