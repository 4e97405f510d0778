package cluster

import (
	"encoding/hex"
	"time"

	"github.com/hashicorp/raft"
)

// Status is what a node knows of itself, without asking others.
type Status struct {
	NodeID        string       `json:"node_id"`
	Region        string       `json:"region"`
	ClusterID     string       `json:"cluster_id,omitempty"` // hex
	Role          string       `json:"role"`                 // leader, follower, candidate, forming, rebuilding, stopped
	Phase         string       `json:"phase,omitempty"`      // while forming: what it waits for
	LeaderID      string       `json:"leader_id,omitempty"`
	LeaderAddress string       `json:"leader_address,omitempty"`
	Term          uint64       `json:"term"`
	Applied       uint64       `json:"applied"`      // index of the last applied command
	LastLog       uint64       `json:"last_log"`     // index of the last entry of the Raft log
	LastContact   string       `json:"last_contact"` // time since the leader was heard, for people only
	Peers         []PeerStatus `json:"peers"`
	Sealed        bool         `json:"sealed"`
	SealError     string       `json:"seal_error,omitempty"`
	Healthy       bool         `json:"healthy"`
	Fault         string       `json:"fault,omitempty"` // why the node is not healthy
	Disk          DiskStatus   `json:"disk"`
	Started       time.Time    `json:"started"`
	Address       string       `json:"address"` // advertised
}

// PeerStatus is a member of Raft's latest configuration.
type PeerStatus struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
}

// DiskStatus is the state of the data folder's volume.
type DiskStatus struct {
	Dir      string `json:"dir"`
	Free     uint64 `json:"free_bytes"`
	LowWater uint64 `json:"low_water_bytes"`
	Low      bool   `json:"low"` // writes are refused
}

// Status returns the node's state.
func (n *Node) Status() Status {
	s := Status{
		NodeID: n.cfg.NodeID, Region: n.cfg.Region, Role: "forming", Started: n.started,
		Sealed: n.keyring.Load() == nil, Healthy: true,
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
