package cluster

import "time"

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
	// How long the node answers without a leader, and how long it then holds a write.
	Lease   time.Duration `json:"lease_ns"`
	Hold    time.Duration `json:"hold_ns"`
	Started time.Time     `json:"started"`
	Address string        `json:"address"` // advertised
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

// MemberStatus is what a member answered about itself.
type MemberStatus struct {
	ID      string        `json:"id"`
	Address string        `json:"address"`
	Voter   bool          `json:"voter"`
	Error   string        `json:"error,omitempty"` // why Status is missing
	Took    time.Duration `json:"took_ns"`
	Status  *Status       `json:"status,omitempty"`
}
