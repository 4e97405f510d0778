package cluster

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/clusterpb"
)

// memberTimeout bounds the question to one member.
const memberTimeout = 2 * time.Second

// Status returns the node's state.
func (n *Node) Status() Status {
	s := Status{
		NodeID: n.cfg.NodeID, Region: n.cfg.Region, Role: "forming", Started: n.started,
		Sealed: n.keyring.Load() == nil, Healthy: true, Lease: n.cfg.Timing.Lease, Hold: n.cfg.Timing.Hold,
		Disk: DiskStatus{Dir: n.cfg.DataDir, Free: n.space.left.Load(), LowWater: n.space.lowWater, Low: n.space.Low()},
	}
	if text := n.sealError.Load(); text != nil {
		s.SealError = *text
	}
	if phase := n.phase.Load(); phase != nil {
		s.Phase = *phase
	}
	if fault := n.fault.Load(); fault != nil {
		s.Healthy, s.Fault = false, (*fault).Error()
	}
	for _, v := range n.cfg.Voters {
		if v.ID == n.cfg.NodeID {
			s.Address = v.Address
		}
	}
	if n.running.Load() {
		n.raftStatus(&s)
	} else if n.stopping.Load() {
		s.Role = "stopped"
	} else if n.seeking.Load() {
		s.Role = "rebuilding"
	}
	return s
}

func (n *Node) raftStatus(s *Status) {
	if region, ok, err := n.regionNow(); err == nil && ok {
		s.ClusterID = hex.EncodeToString(region.ClusterID)
	}
	address, id := n.raft.LeaderWithID()
	s.LeaderID, s.LeaderAddress = string(id), string(address)
	s.Term, s.LastLog = n.raft.CurrentTerm(), n.raft.LastIndex()
	s.Applied = n.machine.applied.value.Load()
	switch n.raft.State() {
	case raft.Leader:
		s.Role = "leader"
	case raft.Candidate:
		s.Role = "candidate"
	case raft.Shutdown:
		s.Role = "stopped"
	default:
		s.Role = "follower"
		if contact := n.raft.LastContact(); !contact.IsZero() {
			s.LastContact = time.Since(contact).Round(time.Millisecond).String()
		}
	}
	for _, server := range n.servers() {
		s.Peers = append(s.Peers, PeerStatus{ID: string(server.ID), Address: string(server.Address), Voter: server.Suffrage == raft.Voter})
	}
}

// servers returns the latest configuration.
func (n *Node) servers() []raft.Server {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

// isMember reports whether the latest configuration has a node.
func (n *Node) isMember(id string) bool {
	return slices.ContainsFunc(n.servers(), func(s raft.Server) bool { return string(s.ID) == id })
}

// Members asks every member of the region for its state, all at once, and waits
// for each at most two seconds. A member that does not answer has Error set.
func (n *Node) Members(ctx context.Context) ([]MemberStatus, error) {
	if !n.running.Load() {
		return nil, ErrStopped
	}
	servers := n.servers()
	members := make([]MemberStatus, len(servers))
	var wg sync.WaitGroup
	for i, server := range servers {
		members[i] = MemberStatus{ID: string(server.ID), Address: string(server.Address), Voter: server.Suffrage == raft.Voter}
		wg.Go(func() { n.describe(ctx, &members[i]) })
	}
	wg.Wait()
	return members, nil
}

func (n *Node) describe(ctx context.Context, m *MemberStatus) {
	started := time.Now()
	status := new(Status)
	if m.ID == n.cfg.NodeID {
		*status = n.Status()
	} else if err := n.askStatus(ctx, m, status); err != nil {
		m.Error = err.Error()
		status = nil
	}
	m.Status, m.Took = status, time.Since(started)
}

func (n *Node) askStatus(ctx context.Context, m *MemberStatus, status *Status) error {
	client, err := n.peer(m.ID, m.Address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	answer, err := client.Describe(ctx, &clusterpb.DescribeRequest{})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer.StatusJson, status)
}
