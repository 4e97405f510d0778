//go:build faults

package faults

import "os/exec"

// scenarios is the table. docs/faults.md shows names, faults and pass conditions
// as they stand here.
var scenarios = []scenario{
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
}

func toolThere(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
