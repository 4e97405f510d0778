//go:build faults

package faults

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// snapshotSettings make snapshots and short logs frequent.
var snapshotSettings = []string{"raft.snapshot_threshold=150", "raft.snapshot_interval=1s", "raft.snapshot_max_age=1h", "raft.trailing_logs=20"}

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
// snapshot, and kills it after the first, second, ... step of taking it.
func lagBehind(r *run) {
	const mark = "Installed remote snapshot"
	installed, killed := 0, map[string]int{}
	first := r.rand.IntN(len(snapshotSteps))
	for i := range rounds(3, 45) {
		step := snapshotSteps[(first+3*i+i/3)%len(snapshotSteps)]
		leader := r.region.leader()
		victim := r.region.without(leader)[r.rand.IntN(2)]
		r.broken(fmt.Sprintf("lag behind, kill at %s %s %s", step.call, step.file, step.when), []*node{victim}, func() {
			before := victim.logged(mark)
			r.region.kill(victim)
			r.writeMany(500)
			r.region.prefix = func(n *node) []string {
				command := []string{"strace", "-f", "-o", n.log + ".steps", "-y", "-e", "signal=none",
					"-e", "trace=" + step.call, "-e", "inject=" + step.call + ":signal=SIGKILL:when=" + step.when}
				if step.file != "" {
					command = append(command, "-P", filepath.Join(n.data, step.file))
				}
				return command
			}
			r.region.start(victim)
			r.region.prefix = nil
			eventually(12*time.Second, func() bool {
				ready, _ := victim.ready()
				return ready || victim.proc.dead()
			})
			if victim.proc.dead() {
				killed[step.call+" "+step.file+" "+step.when]++
			}
			victim.proc.kill()
			r.region.start(victim)
			r.region.waitReady(victim)
			installed += victim.logged(mark) - before
		})
		r.settle(r.between(200*time.Millisecond, time.Second))
	}
	r.number("snapshots installed", "%d", installed)
	r.number("steps killed at", "%d of %d", len(killed), len(snapshotSteps))
	if installed == 0 || len(killed) == 0 {
		r.Errorf("%d snapshots were installed; followers were killed meanwhile at %v", installed, killed)
	}
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
