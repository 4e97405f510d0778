//go:build faults

package faults

import "time"

// cutLeader cuts the leader off from its peers, but not from its clients.
func cutLeader(r *run) {
	var resumed []time.Duration
	for range rounds(1, 30) {
		leader := r.region.leader()
		r.broken("cut off leader", []*node{leader}, func() {
			r.must(r.region.links.isolate(leader))
			alone := time.Now().Add(leaseLength + leaseMargin)
			took := r.probeWrites(r.region.without(leader))
			resumed = append(resumed, min(took[0], took[1]))
			time.Sleep(time.Until(alone))
			r.mustRefuse(leader)
			r.settle(r.between(0, 2*time.Second))
			r.region.links.heal()
			r.region.waitReady(leader)
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
	median, longest := spread(resumed)
	r.number("writes resumed, median", "%v", median)
	r.number("writes resumed, longest", "%v", longest)
}

// cutFollower cuts a follower off from both others, but not from its clients.
func cutFollower(r *run) {
	var stalls []time.Duration
	for range rounds(1, 30) {
		leader := r.region.leader()
		victim := r.region.without(leader)[r.rand.IntN(2)]
		r.broken("cut off follower", []*node{victim}, func() {
			r.must(r.region.links.isolate(victim))
			alone := time.Now().Add(leaseLength + leaseMargin)
			stalls = append(stalls, r.probeWrites(r.region.without(victim))...)
			time.Sleep(time.Until(alone))
			r.mustRefuse(victim)
			r.settle(r.between(0, 2*time.Second))
			r.region.links.heal()
			r.region.waitReady(victim)
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
	median, longest := spread(stalls)
	r.number("write stall, median", "%v", median)
	r.number("write stall, longest", "%v", longest)
}

// cutOneWay drops what one node sends to another, and nothing else.
func cutOneWay(r *run) {
	for range rounds(3, 60) {
		from := r.region.nodes[r.rand.IntN(3)]
		to := r.region.without(from)[r.rand.IntN(2)]
		r.broken("cut one way", []*node{from, to}, func() {
			r.must(r.region.links.cut(from, to))
			r.settle(r.between(500*time.Millisecond, 5*time.Second))
			r.region.links.heal()
			r.region.waitReady(r.region.nodes...)
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
}

// flap cuts a node off and heals it, many times a second to once in two.
func flap(r *run) {
	for range rounds(1, 30) {
		victim := r.region.nodes[r.rand.IntN(3)]
		r.broken("flapping links", r.region.nodes, func() {
			end := time.Now().Add(r.between(3*time.Second, 8*time.Second))
			for time.Now().Before(end) {
				r.must(r.region.links.isolate(victim))
				r.settle(r.between(20*time.Millisecond, 900*time.Millisecond))
				r.region.links.heal()
				r.settle(r.between(20*time.Millisecond, time.Second))
			}
			r.region.waitReady(r.region.nodes...)
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
}

// slowLinks delays everything on all links.
func slowLinks(r *run) {
	for range rounds(1, 15) {
		delay := r.between(5*time.Millisecond, 40*time.Millisecond)
		r.broken("slow links", nil, func() {
			r.must(r.region.links.slow(delay, delay/2))
			r.settle(r.between(3*time.Second, 8*time.Second))
			r.region.links.heal()
		})
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}
