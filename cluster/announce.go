package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

// announcer tells followers at once what is committed. Raft tells them with the
// next entries, or after one or two CommitTimeouts; a write is answered when all
// have applied it, so each lone write would wait for that, and a CommitTimeout
// that is short enough has idle nodes send a hundred messages a second.
//
// What it sends is what Raft would: an AppendEntries without entries, of the term
// that this node leads, which names the committed entry as the previous one. A
// follower that has another entry there, or a newer term, refuses it. One that is
// lost is made up for by the CommitTimeout.
type announcer struct {
	node *Node

	mu     sync.Mutex
	newest commit
	peers  map[raft.ServerID]*announced
}

// commit is a committed entry.
type commit struct{ index, term uint64 }

// announced is what one follower is being told.
type announced struct {
	due     bool // something newer than what is under way
	sending bool
}

func newAnnouncer(n *Node) *announcer {
	return &announcer{node: n, peers: map[raft.ServerID]*announced{}}
}

// committed is called with an entry that this node is about to apply; where the
// node does not lead, others tell. It does not block.
func (a *announcer) committed(index, term uint64) {
	n := a.node
	if !n.running.Load() || n.raft.State() != raft.Leader {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newest = commit{index, term}
	for _, s := range n.servers() {
		if string(s.ID) == n.cfg.NodeID {
			continue
		}
		p := a.peers[s.ID]
		if p == nil {
			p = new(announced)
			a.peers[s.ID] = p
		}
		p.due = true
		if !p.sending {
			p.sending = n.spawn(func() { a.tell(s, p) })
		}
	}
}

// tell sends the newest commit until the follower has been told of it.
func (a *announcer) tell(s raft.Server, p *announced) {
	for {
		a.mu.Lock()
		c, due := a.newest, p.due
		p.due, p.sending = false, due
		a.mu.Unlock()
		if !due {
			return
		}
		a.send(s, c)
	}
}

func (a *announcer) send(s raft.Server, c commit) {
	n := a.node
	term := n.raft.CurrentTerm()
	if !n.leading(term) {
		return
	}
	self := n.raftNet.EncodePeer(raft.ServerID(n.cfg.NodeID), n.raftNet.LocalAddr())
	request := &raft.AppendEntriesRequest{
		RPCHeader:         raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.cfg.NodeID), Addr: self},
		Term:              term,
		PrevLogEntry:      c.index,
		PrevLogTerm:       c.term,
		LeaderCommitIndex: c.index,
	}
	// Nobody waits for the answer, and Raft hears of a newer term by itself.
	_ = n.raftNet.AppendEntries(s.ID, s.Address, request, new(raft.AppendEntriesResponse))
}
