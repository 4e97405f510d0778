package lease

import "slices"

// authority is the newest time at which this server knows that it was still
// the leader of the table's term (rule 5); ok is false if it leads no more.
// The caller holds mu and has opened a table.
func (n *Node) authority(now Instant) (x Instant, ok bool) {
	t := n.table
	n.lastLed = now
	if n.cfg.Raft.Leading() != t.term {
		return Never, false
	}
	if mutant == grantWithoutAuthority {
		return now, true
	}
	members := n.cfg.Raft.Latest()
	if mutant == authorityOverApplied {
		members, _ = n.cfg.Machine.Configuration()
	}
	return quorumNewest(members.Voters, func(v NodeID) Instant {
		if v == n.cfg.Self {
			return now
		}
		if at, ok := t.echoes[v]; ok {
			return at
		}
		return Never
	}), true
}

// quorumNewest is the newest time that a majority of the voters has reached.
func quorumNewest(voters []NodeID, at func(NodeID) Instant) Instant {
	return nth(voters, at, func(a, b Instant) int { return int(min(max(b-a, -1), 1)) })
}

// quorumOldest is the oldest of the newest times of any majority of the voters:
// whichever majority one looks at, one of it is at or after this time.
func quorumOldest(voters []NodeID, at func(NodeID) Instant) Instant {
	return nth(voters, at, func(a, b Instant) int { return int(min(max(a-b, -1), 1)) })
}

// nth sorts the times of all voters and takes the one at half their number.
func nth(voters []NodeID, at func(NodeID) Instant, order func(a, b Instant) int) Instant {
	if len(voters) == 0 {
		return Never
	}
	var few [8]Instant
	times := few[:0]
	for _, v := range voters {
		times = append(times, at(v))
	}
	slices.SortFunc(times, order)
	return times[len(times)/2]
}
