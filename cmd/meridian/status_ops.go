package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
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
		return nil, fmt.Errorf("%s answered with status %d", url, resp.StatusCode)
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
	view.judge(alive)
	return view
}

// judge says whether the region takes writes, and why not.
func (r *regionStatus) judge(alive int) {
	r.Quorum = r.Voters/2 + 1
	switch {
	case r.Voters == 0:
		r.Problems = append([]string{"the region is still being formed"}, r.Problems...)
	case alive < r.Quorum:
		r.Problems = append([]string{fmt.Sprintf("%d of %d voters answers (need %d): writes wait", alive, r.Voters, r.Quorum)}, r.Problems...)
	case r.Leader == "":
		r.Problems = append([]string{"no leader is elected"}, r.Problems...)
	default:
		r.Healthy = true
	}
}
