package main

import (
	"fmt"
	"strings"

	"meridian/cmd/meridian/devregion"
)

// report names a server that died and says why, as far as that is known, and
// what that means for its region.
func (d *devRun) report(p *devregion.Process) {
	tail := ""
	if !strings.HasPrefix(p.Ending(), "signal:") {
		tail = p.Node.LogTail()
	}
	text := d.afterDeath(p.Node.Region, func(n *devregion.Node) bool {
		process := d.running[n]
		return process != nil && process.Running()
	})
	fmt.Fprintf(d.err, "meridian: node %s died (%s); %s%s\n", p.Node.ID, p.Ending(), text, tail)
}

// afterDeath says how a region goes on after one of its servers died.
func (d *devRun) afterDeath(region string, runs func(*devregion.Node) bool) string {
	left, leftHere, voters := 0, 0, 0
	for _, n := range d.layout.Nodes() {
		if n.Region == region {
			voters++
		}
		if runs(n) {
			left++
			if n.Region == region {
				leftHere++
			}
		}
	}
	back := "meridian dev --restart 2s brings servers back by itself"
	if d.o.restart > 0 {
		back = fmt.Sprintf("it is started again in %s", d.o.restart)
	}
	quorum := voters/2 + 1
	switch {
	case left == 0:
		return "no server is left; the data stays until Ctrl-C; " + back
	case leftHere == 0:
		return fmt.Sprintf("region %s has no server left; the other regions go on; %s", region, back)
	case leftHere < quorum:
		return fmt.Sprintf("region %s has lost its quorum (%d of %d servers run, %d are needed): %s; %s",
			region, leftHere, voters, quorum, withoutQuorum(0, 0), back)
	case left == 1:
		return "the other one goes on"
	}
	return fmt.Sprintf("the other %d go on", left)
}
