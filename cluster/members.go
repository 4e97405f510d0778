package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/clusterpb"
)

// memberTimeout bounds the question to one member.
const memberTimeout = 2 * time.Second

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

// MemberStatus is what a member answered about itself.
type MemberStatus struct {
	ID      string        `json:"id"`
	Address string        `json:"address"`
	Voter   bool          `json:"voter"`
	Error   string        `json:"error,omitempty"` // why Status is missing
	Took    time.Duration `json:"took_ns"`
	Status  *Status       `json:"status,omitempty"`
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
