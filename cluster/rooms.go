package cluster

import (
	"sync"

	"github.com/hashicorp/raft"

	"meridian/cluster/lease"
)

// rooms is what a leader knows about the other nodes' disks: each says with its
// renewals whether its own is nearly full. A region takes writes as long as a
// majority has room for them; beyond that it would lose the majority itself, and
// with it what must still go through, DisableKey for one.
type rooms struct {
	mu   sync.Mutex
	last map[string]roomReport
}

type roomReport struct {
	low bool
	at  lease.Instant
}

func (r *rooms) heard(id string, low bool, at lease.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = make(map[string]roomReport)
	}
	r.last[id] = roomReport{low, at}
}

// sort tells which of some nodes have room, and one that has none, if any. A node
// that was not heard for as long as a lease, counted from a moment since which it
// had reason to speak, is neither. One that had no room has none until it says
// otherwise.
func (r *rooms) sort(nodes []raft.Server, since, now lease.Instant, silence lease.Instant) (roomy []raft.Server, full string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, node := range nodes {
		report := r.last[string(node.ID)]
		switch {
		case report.low:
			full = string(node.ID)
		case now-max(report.at, since) <= silence:
			roomy = append(roomy, node)
		}
	}
	return roomy, full
}

func (n *Node) sortByRoom(t *openTerm) (roomy []raft.Server, full string) {
	return n.rooms.sort(t.others, t.opened, n.cfg.BootTime(), n.cfg.Timing.Lease)
}

// withoutRoom returns the node whose disk is why this leader takes no writes,
// empty while it does.
func (n *Node) withoutRoom(t *openTerm) string {
	if n.space.Low() {
		return n.cfg.NodeID
	}
	roomy, full := n.sortByRoom(t)
	if full == "" || len(roomy)+1 > (len(t.others)+1)/2 {
		return ""
	}
	return full
}

// handOverForRoom hands leadership to a node whose disk has room, when this one's
// stays low and a majority has room without it.
func (n *Node) handOverForRoom(t *openTerm) {
	roomy, _ := n.sortByRoom(t)
	if !n.space.StaysLow() || len(roomy) <= (len(t.others)+1)/2 {
		return
	}
	to := roomy[0]
	n.log.Warn("the disk stays nearly full: leadership goes to a node that has room", "to", string(to.ID))
	err := n.futures.give(t.ctx, func() raft.Future { return n.raft.LeadershipTransferToServer(to.ID, to.Address) })
	if err != nil && t.ctx.Err() == nil {
		n.log.Warn("leadership was not handed over", "error", err)
	}
}
