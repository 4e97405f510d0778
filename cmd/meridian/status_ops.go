package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"meridian/cluster"
)

const (
	opsPort      = "9412" // unless it is configured
	opsTimeout   = 4 * time.Second
	maxOpsAnswer = 1 << 20
)

// readOps reads /status of a node's health listener.
func readOps(ctx context.Context, url string) (*opsStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, opsTimeout)
	defer cancel()
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/status", nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered with status %d. Is it a node's listen.ops, port %s unless configured?", url, resp.StatusCode, opsPort)
	}
	var answer opsStatus
	return &answer, json.NewDecoder(io.LimitReader(resp.Body, maxOpsAnswer)).Decode(&answer)
}

// opsView sums up what a node told about all members of its region.
func opsView(answer *opsStatus) regionStatus {
	own := answer.Status
	view := regionStatus{
		ID: own.Region, Source: "ops", ClusterID: own.ClusterID, Leader: own.LeaderID, Term: own.Term,
		Problems: []string{}, Nodes: []nodeStatus{},
	}
	var last uint64 // the newest index that anybody applied
	alive := 0
	for _, m := range answer.Members {
		if m.Status != nil {
			last = max(last, m.Status.Applied)
			if m.Status.Role == "leader" && m.Status.Term >= view.Term {
				view.Leader, view.Term = m.ID, m.Status.Term
			}
		}
	}
	if own.Role == "forming" && len(answer.Members) == 0 {
		view.Problems = append(view.Problems, own.NodeID+" is "+phaseOf(own))
		view.Nodes = append(view.Nodes, nodeStatus{ID: own.NodeID, Role: "forming", Address: own.Address})
	}
	for _, m := range answer.Members {
		n := nodeStatus{ID: m.ID, Role: "non-voter", Address: m.Address, Answered: milliseconds(m.Took), Error: m.Error}
		if m.Voter {
			n.Role = "voter"
			view.Voters++
		}
		if m.Status == nil {
			n.Role = "down"
			if n.Error == "" {
				n.Error = "no answer"
			}
			view.Problems = append(view.Problems, m.ID+": "+n.Error)
			view.Nodes = append(view.Nodes, n)
			continue
		}
		if forming(m.Status) {
			n.Role = "forming"
			view.Problems = append(view.Problems, m.ID+" is "+phaseOf(m.Status))
			view.Nodes = append(view.Nodes, n)
			if m.Voter && m.Status.Role != "forming" {
				alive++ // it votes, on a region that is not made yet
			}
			continue
		}
		if m.Voter {
			alive++
		}
		n.Applied, n.Lag, n.Sealed = m.Status.Applied, last-m.Status.Applied, m.Status.Sealed
		if m.ID == view.Leader {
			n.Role = "leader"
		}
		switch {
		case m.Status.Sealed:
			view.Problems = append(view.Problems, m.ID+" is sealed: "+m.Status.SealError)
		case !m.Status.Healthy:
			view.Problems = append(view.Problems, m.ID+" is not healthy: "+m.Status.Fault)
		default:
			view.Unsealed++
		}
		if m.Status.Disk.Low {
			view.Problems = append(view.Problems, fmt.Sprintf("%s refuses writes: its disk has %d MiB left (%s)", m.ID, m.Status.Disk.Free>>20, m.Status.Disk.Dir))
		}
		view.Nodes = append(view.Nodes, n)
	}
	view.judge(alive, withoutQuorum(own.Lease, own.Hold))
	return view
}

// forming says that a node has no region yet: it waits for other voters, or for
// the leader to make it. A sealed node is one that has a region and no key to it.
func forming(s *cluster.Status) bool {
	return s.Role == "forming" || s.Sealed && s.SealError == "" && s.ClusterID == ""
}

func phaseOf(s *cluster.Status) string {
	if s.Phase != "" {
		return s.Phase
	}
	return "forming"
}

// withoutQuorum is what a region without a majority does, in the times that a
// node tells; zero where it tells none.
func withoutQuorum(lease, hold time.Duration) string {
	reads, writes := "", "held"
	if lease > 0 {
		reads = ", " + lease.String() + " at most,"
	}
	if hold > 0 {
		writes += " up to " + hold.String()
	}
	return "nodes answer reads until their leases end" + reads + " and then refuse; writes are " + writes + " (raft.hold) and then refused"
}

// judge says whether the region takes writes, and why not; halted is what it does
// without a majority.
func (r *regionStatus) judge(alive int, halted string) {
	r.Quorum = r.Voters/2 + 1
	switch {
	case r.Voters == 0:
		r.Problems = append([]string{"the region is still being formed"}, r.Problems...)
	case alive < r.Quorum:
		r.Problems = append([]string{fmt.Sprintf("no quorum: %d of %d voters answers (need %d): %s", alive, r.Voters, r.Quorum, halted)}, r.Problems...)
	case r.Leader == "":
		r.Problems = append([]string{"no leader is elected"}, r.Problems...)
	default:
		r.Healthy = true
	}
}
