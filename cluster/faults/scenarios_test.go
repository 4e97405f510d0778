//go:build faults

package faults

import (
	"os/exec"
	"time"
)

// scenarios is the table. docs/faults.md shows names, faults and pass conditions
// as they stand here.
var scenarios = []scenario{
	{
		name: "no fault", fault: "none",
		pass:   "no request fails",
		steady: true, smooth: true, overlap: 0, run: leaveAlone,
	},
	{
		name: "leader killed", fault: "kill -9 of the leader, again and again",
		pass:   "cryptography on the others never fails; held writes succeed, in 5 s at most, 3 s in the median",
		steady: true, smooth: true, overlap: 1000, run: killLeader,
	},
	{
		name: "follower killed", fault: "kill -9 of a follower, again and again",
		pass:   "cryptography on the others never fails; writes stall for D + m at most",
		steady: true, smooth: true, overlap: 1000, run: killFollower,
	},
	{
		name: "all killed", fault: "kill -9 of all three at one instant",
		pass: "nothing acknowledged is lost; all are ready again by themselves", overlap: 0, run: killAll,
	},
	{
		name: "two killed", fault: "kill -9 of two of three",
		pass: "the third refuses once its lease has ended; nothing acknowledged is lost", overlap: 50, run: killTwo,
	},
	{
		name: "rolling restart", fault: "SIGTERM and start of one after the other, under load",
		pass:   "no request without an answer; no write waits for a lease",
		steady: true, smooth: true, overlap: 200, run: restartRolling,
	},
	{
		name: "leader paused", fault: "SIGSTOP of the leader for half a lease to 20 leases",
		pass:   "cryptography on the others never fails; no answer of the woken one is stale",
		steady: true, smooth: false, overlap: 1000, run: pauseLeader,
	},
	{
		name: "follower paused", fault: "SIGSTOP of a follower, DisableKey elsewhere, use of the keys as it goes on",
		pass:   "DisableKey is acknowledged in D + m; the woken one never uses a disabled key",
		steady: true, overlap: 1000, run: pauseFollower,
	},
	{
		name: "leader cut off", fault: "the leader cut off from its peers, not from its clients",
		pass:   "cryptography on the others never fails; the old leader refuses once its lease has ended",
		steady: true, smooth: true, overlap: 500, run: cutLeader,
	},
	{
		name: "follower cut off", fault: "a follower cut off from its peers, not from its clients",
		pass:   "cryptography on the others never fails; the follower refuses once its lease has ended",
		steady: true, smooth: true, overlap: 500, run: cutFollower,
	},
	{
		name: "one-way cuts", fault: "what one node sends to another is dropped, each pair by chance",
		pass:   "cryptography on the third never fails",
		steady: true, smooth: true, overlap: 1000, run: cutOneWay,
	},
	{
		name: "flapping links", fault: "a node cut off and healed again, for 20 ms to 1 s each",
		pass: "nothing stale, nothing lost", overlap: 500, run: flap,
	},
	{
		name: "slow links", fault: "5 to 40 ms of delay each way, half of it jitter, on all links",
		pass:   "cryptography never fails",
		steady: true, smooth: true, overlap: 500, run: slowLinks,
	},
	{
		name: "lost packets", fault: "the kernel drops a node's packets, leader and follower in turn: no connection breaks, and what was sent arrives later",
		pass:   "cryptography on the others never fails; after a lease the node refuses; nothing stale",
		steady: true, smooth: true, root: true, tool: "nft", apart: true, overlap: 500, run: dropPackets,
	},
	{
		name: "slow disk", fault: "20 to 200 ms more for each sync of one node, leader and follower in turn",
		pass:   "cryptography on the others never fails; nothing stale",
		steady: true, smooth: true, root: true, tool: "strace", overlap: 200, run: slowDisk,
	},
	{
		name: "hung disk", fault: "the syncs of one node never return, leader and follower in turn",
		pass:   "its process ends after the stall limit (2 s here); the others go on and elect",
		steady: true, smooth: true, root: true, tool: "strace", overlap: 500, set: []string{"disk.stall_limit=2s"}, run: hangDisk,
	},
	{
		name: "failing disk", fault: "EIO once, at each of the first writes and syncs, leader and follower in turn",
		pass:   "its process ends and comes back; nothing acknowledged is lost",
		steady: true, smooth: true, root: true, tool: "strace", overlap: 500, run: failDisk,
	},
	{
		name: "full disk", fault: "the leader's volume nearly full, then a follower's to the last byte, then room again",
		pass:   "writes are refused before it is full, DisableKey is not; cryptography never fails; all recovers by itself",
		steady: true, smooth: true, root: true, overlap: 500, prepare: mountVolumes,
		set: []string{"disk.min_free=32MiB", "disk.reserve=8MiB"}, run: fullDisk,
	},
	{
		name: "damaged files", fault: "state deleted, truncated, emptied, older, bits flipped, without snapshots; log deleted, emptied, older, foreign; leftovers",
		pass:   "a lost state comes back by itself; a lost log is refused; cryptography on the others never fails",
		steady: true, smooth: true, overlap: 1000, run: damageFiles,
	},
	{
		name: "snapshot to a laggard", fault: "a follower behind the end of the log takes a snapshot under load, kill -9 after each step of it",
		pass:   "it comes back; nothing stale, nothing lost",
		steady: true, smooth: true, root: true, tool: "strace", overlap: 500, set: snapshotSettings, run: lagBehind,
	},
	{
		name: "power loss", fault: "all lose power at one instant under load: unsynced writes lost in part, the last one torn, rebuilt several ways",
		pass: "all are ready again by themselves; nothing acknowledged is lost",
		root: true, tool: "strace", overlap: 20, run: losePower,
	},
}

// clockSteps is TestClockSteps, which has a region of its own in one process.
var clockSteps = scenario{
	name: "clock steps", fault: "wall clocks of all step by up to a day, boot clocks of followers by up to 30 s",
	pass: "nothing stale; writes and reads go on",
}

// leaveAlone breaks nothing: what clients see of a region that works.
func leaveAlone(r *run) {
	r.settle(time.Duration(rounds(3, 60)) * time.Second)
	for _, o := range r.load.history.all() {
		if o.Outcome != done && o.Outcome != refused {
			r.Errorf("%s of %s at %s at %v: %s %s %s", o.Action, o.Worker, o.Node, time.Duration(o.Start), o.Outcome, o.Code, o.Error)
		}
	}
}

func toolThere(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
