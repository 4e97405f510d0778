//go:build faults

package faults

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// snapshotSettings make snapshots and short logs frequent.
var snapshotSettings = []string{"raft.snapshot_threshold=150", "raft.snapshot_interval=1s", "raft.snapshot_max_age=1h", "raft.trailing_logs=100"}

// snapshotSteps are the calls by which a follower takes a snapshot, in their
// order; the kill comes as it enters the call. A file narrows the call down, and
// strace counts calls by thread.
var snapshotSteps = []struct{ call, file, when string }{
	{call: "mkdirat", when: "1"},                  // the snapshot's folder
	{call: "fsync", when: "2"},                    // its content
	{call: "fsync", when: "3"},                    // its label
	{call: "renameat", when: "1"},                 // it is complete
	{call: "fsync", file: "snapshots", when: "1"}, // and its name durable
	{call: "fsync", file: "state.db.new", when: "1"},
	{call: "renameat", file: "state.db.new", when: "1"},
	{call: "fsync", file: ".", when: "1"},
	{call: "fsync", file: "state.db", when: "1"},
}

// lagBehind has a follower fall behind the end of the log, so that it is sent a
// snapshot, and kills it at a step of taking it: some of the steps in the short
// form, each of them in the long one.
func lagBehind(r *run) {
	installed, killed := 0, map[int]bool{}
	first, steps := r.rand.IntN(len(snapshotSteps)), rounds(2, 45)
	for i := range steps {
		step := (first + 3*i + i/3) % len(snapshotSteps)
		// Whether a snapshot is sent is the leader's choice: a follower may catch up
		// by the log, and pass no step.
		for attempt := 0; attempt == 0 || attempt < 6 && !killed[step]; attempt++ {
			fell, took := r.lagOnce(step)
			installed += took
			killed[step] = killed[step] || fell
			r.settle(r.between(200*time.Millisecond, time.Second))
		}
		if !killed[step] {
			r.Errorf("no follower was killed at step %d of a snapshot, %+v", step, snapshotSteps[step])
		}
	}
	r.number("snapshots installed", "%d", installed)
	r.number("steps killed at", "%d of %d", len(killed), len(snapshotSteps))
	if installed == 0 {
		r.Error("no snapshot was installed")
	}
	if steps >= len(snapshotSteps) && len(killed) < len(snapshotSteps) {
		r.Errorf("followers were killed at %d of %d steps", len(killed), len(snapshotSteps))
	}
}

// lagOnce says whether a follower was killed at a step, and how many snapshots
// it installed before it was ready again.
func (r *run) lagOnce(step int) (killed bool, installed int) {
	const mark = "Installed remote snapshot"
	at := snapshotSteps[step]
	victim := r.region.without(r.region.leader())[r.rand.IntN(2)]
	r.broken(fmt.Sprintf("lag behind, kill at %s %s %s", at.call, at.file, at.when), []*node{victim}, func() {
		before := victim.logged(mark)
		r.region.kill(victim)
		r.writeMany(500)
		r.region.prefix = func(n *node) []string {
			command := []string{"strace", "-f", "-o", n.log + ".steps", "-y", "-e", "signal=none",
				"-e", "trace=" + at.call, "-e", "inject=" + at.call + ":signal=SIGKILL:when=" + at.when}
			if at.file != "" {
				command = append(command, "-P", filepath.Join(n.data, at.file))
			}
			return command
		}
		r.region.start(victim)
		r.region.prefix = nil
		eventually(12*time.Second, func() bool {
			ready, _ := victim.ready()
			return ready || victim.proc.dead()
		})
		killed = victim.proc.dead()
		victim.proc.kill()
		r.region.start(victim)
		r.region.waitReady(victim)
		installed = victim.logged(mark) - before
	})
	return killed, installed
}

// writeMany makes many writes in a short time.
func (r *run) writeMany(count int) {
	r.Helper()
	const workers = 16
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			c := r.load.caller("many")
			defer c.close()
			for range count / workers {
				r.load.createKey(r.load.ctx, c, "")
			}
		})
	}
	group.Wait()
}
