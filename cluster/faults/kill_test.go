//go:build faults

package faults

import (
	"context"
	"time"
)

// The sizes of a region in one place, from the lease protocol: length, margin.
const (
	leaseLength = 2 * time.Second
	leaseMargin = 100 * time.Millisecond
)

// slack is what a measured time may exceed its bound by on a busy machine.
const slack = 500 * time.Millisecond

// killLeader kills the leader again and again. Writes that the others took
// meanwhile are held and succeed. Every other time all processes have run for
// longer than a lease before, as they usually have; a new leader then knows when
// the last grants of the old one end.
func killLeader(r *run) {
	var first, settled, held []time.Duration
	r.settle(leaseLength + time.Second)
	for i := range rounds(3, 60) {
		leader := r.region.leader()
		others := r.region.without(leader)
		r.broken("kill leader", []*node{leader}, func() {
			r.region.kill(leader)
			took := r.probeWrites(others)
			held = append(held, took...)
			first = append(first, min(took[0], took[1]))
			if i%2 == 0 {
				settled = append(settled, min(took[0], took[1]))
			}
			time.Sleep(r.between(0, time.Second))
			r.region.start(leader)
			r.region.waitReady(leader)
		})
		if i%2 == 0 {
			r.settle(r.between(200*time.Millisecond, 2*time.Second))
		} else {
			r.settle(leaseLength + time.Second)
		}
	}
	median, _ := spread(settled)
	_, longest := spread(first)
	r.number("writes resumed, median", "%v", median)
	r.number("writes resumed, longest", "%v", longest)
	if longest > 5*time.Second {
		r.Errorf("writes resumed %v after the leader was killed, want 5s at most", longest)
	}
	if median > 3*time.Second {
		r.Errorf("writes resumed %v after the leader was killed in the median, want 3s at most", median)
	}
	_, longest = spread(held)
	r.number("held write, longest", "%v", longest)
}

// killFollower kills a follower again and again. Writes wait for its lease once.
func killFollower(r *run) {
	var stalls []time.Duration
	for range rounds(2, 60) {
		leader := r.region.leader()
		others := r.region.without(leader)
		victim := others[r.rand.IntN(len(others))]
		r.broken("kill follower", []*node{victim}, func() {
			r.region.kill(victim)
			stalls = append(stalls, r.probeWrites(r.region.without(victim))...)
			time.Sleep(r.between(0, time.Second))
			r.region.start(victim)
			r.region.waitReady(victim)
		})
		r.settle(r.between(200*time.Millisecond, 2500*time.Millisecond))
	}
	median, longest := spread(stalls)
	r.number("write stall, median", "%v", median)
	r.number("write stall, longest", "%v", longest)
	if most := leaseLength + leaseMargin + slack; longest > most {
		r.Errorf("writes stalled for %v after a follower was killed, want %v at most", longest, most)
	}
}

// killAll kills all servers at one instant.
func killAll(r *run) {
	var back []time.Duration
	for range rounds(2, 40) {
		r.broken("kill all", r.region.nodes, func() {
			r.region.kill(r.region.nodes...)
			began := time.Now()
			r.region.start(r.region.nodes...)
			r.region.waitReady(r.region.nodes...)
			back = append(back, time.Since(began))
		})
		r.settle(r.between(500*time.Millisecond, 2*time.Second))
	}
	median, longest := spread(back)
	r.number("all ready again, median", "%v", median)
	r.number("all ready again, longest", "%v", longest)
}

// killTwo kills two of three. The one that is left refuses once its lease has
// ended, and takes no write.
func killTwo(r *run) {
	for range rounds(1, 30) {
		left := r.region.nodes[r.rand.IntN(3)]
		gone := r.region.without(left)
		r.broken("kill two", r.region.nodes, func() {
			r.region.kill(gone...)
			time.Sleep(leaseLength + 100*time.Millisecond)
			r.mustRefuse(left)
			time.Sleep(r.between(0, time.Second))
			r.region.start(gone...)
			r.region.waitReady(r.region.nodes...)
		})
		r.settle(r.between(500*time.Millisecond, 2*time.Second))
	}
}

// mustRefuse asks a node that has been alone for longer than a lease.
func (r *run) mustRefuse(n *node) {
	c := r.load.caller("alone")
	defer c.close()
	for range 5 {
		o := c.try(context.Background(), n, op{Action: "GenerateDataKey", Object: r.load.stable}, map[string]string{"KeyId": r.load.stable}, nil)
		if o.Outcome != unavailable {
			r.Errorf("%s, left alone for longer than a lease, answered: %s %s", n.id, o.Outcome, o.Code)
		}
	}
}

// restartRolling stops and starts every server in turn, cleanly.
func restartRolling(r *run) {
	var stalls []time.Duration
	for range rounds(1, 15) {
		for _, n := range r.region.nodes {
			r.broken("restart", []*node{n}, func() {
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					r.region.stop(n)
				}()
				stalls = append(stalls, r.probeWrites(r.region.without(n))...)
				<-stopped
				stalls = append(stalls, r.probeWrites(r.region.without(n))...)
				r.region.start(n)
				r.region.waitReady(n)
			})
			r.settle(r.between(300*time.Millisecond, time.Second))
		}
	}
	median, longest := spread(stalls)
	r.number("write, median", "%v", median)
	r.number("write, longest", "%v", longest)
	if longest > leaseLength {
		r.Errorf("a write took %v while servers were restarted: somebody's lease was waited for", longest)
	}
	failed := map[string]int{}
	for _, o := range r.load.history.all() {
		switch o.Outcome {
		case unknown, broken:
			failed["without an answer"]++
			if failed["without an answer"] <= 20 {
				r.Errorf("%s of %s at %s at %v for %v: %s %s %s", o.Action, o.Worker, o.Node, time.Duration(o.Start), time.Duration(o.End-o.Start), o.Outcome, o.Code, o.Error)
			}
		case unavailable:
			failed["503"]++
		case unreachable:
			failed["refused connections"]++
		}
	}
	for name, count := range failed {
		r.number(name, "%d", count)
	}
}
