//go:build faults

package faults

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// snapshotSettings make snapshots and short logs frequent.
var snapshotSettings = []string{"raft.snapshot_threshold=150", "raft.snapshot_interval=1s", "raft.snapshot_max_age=1h", "raft.trailing_logs=20"}

// snapshotSteps are the calls that a follower makes when it takes a snapshot:
// folder, files, sync, rename, and what it does to its state.
const snapshotSteps = "mkdirat,fsync,rename,renameat,renameat2,unlink,unlinkat"

// lagBehind has a follower fall behind the end of the log, so that it is sent a
// snapshot, and kills it after the first, second, ... step of taking it.
func lagBehind(r *run) {
	const mark = "Installed remote snapshot"
	installed := 0
	for step := range rounds(3, 40) {
		leader := r.region.leader()
		victim := r.region.without(leader)[r.rand.IntN(2)]
		r.broken(fmt.Sprintf("lag behind, kill at step %d", step), []*node{victim}, func() {
			before := victim.logged(mark)
			r.region.kill(victim)
			r.writeMany(500)
			r.region.prefix = func(n *node) []string {
				return []string{"strace", "-f", "-o", n.log + ".steps", "--seccomp-bpf", "-e", "trace=" + snapshotSteps,
					"-P", n.data, "-e", "inject=" + snapshotSteps + ":signal=SIGKILL:when=" + strconv.Itoa(3+step)}
			}
			r.region.start(victim)
			r.region.prefix = nil
			eventually(8*time.Second, func() bool {
				ready, _ := victim.ready()
				return ready || victim.proc.dead()
			})
			victim.proc.kill()
			r.region.start(victim)
			r.region.waitReady(victim)
			installed += victim.logged(mark) - before
		})
		r.settle(r.between(200*time.Millisecond, time.Second))
	}
	r.number("snapshots installed", "%d", installed)
	if installed == 0 {
		r.Error("no follower was sent a snapshot")
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
