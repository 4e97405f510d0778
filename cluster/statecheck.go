package cluster

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

// Nodes of a region that have applied the same entries have the same state, and
// the rolling hash over it shows that. Every node compares its own with the
// others', at an index that all of them know. One that finds itself in a minority
// stops at once: it leaves its lease, ends, and fetches the majority's state when
// it starts again. Where no majority agrees on another state, nobody knows who is
// right: all alarm, and nobody gives up what it has.

const (
	// firstComparison is how soon after a start, at most.
	firstComparison = 2 * time.Second
	// catchUp is how long a node that is asked waits for its own state to reach
	// the index.
	catchUp = time.Second
)

// stateAt is what a node says about its state at an index.
type stateAt struct {
	known bool // false: it did not answer, or has no hash for the index
	hash  [32]byte
}

// verdict is what a comparison comes to for the node that made it.
type verdict uint8

const (
	agreed    verdict = iota // with a majority, itself included; perhaps some other node differs
	unsettled                // no majority is known
	outvoted                 // a majority has another state
)

func (v verdict) String() string { return [...]string{"agreed", "unsettled", "outvoted"}[v] }

// judge compares a node's state with those of the other members. differs reports
// that some of them have another one.
func judge(own [32]byte, others []stateAt) (v verdict, differs bool) {
	votes := map[[32]byte]int{own: 1}
	for _, s := range others {
		if s.known {
			votes[s.hash]++
		}
	}
	majority := (len(others)+1)/2 + 1
	for hash, n := range votes {
		switch {
		case n < majority:
		case hash == own:
			return agreed, len(votes) > 1
		default:
			return outvoted, true
		}
	}
	return unsettled, len(votes) > 1
}

// keepComparing compares for as long as the node runs.
func (n *Node) keepComparing() {
	every := n.cfg.Timing.StateCheck
	timer := time.NewTimer(jitter(min(every, firstComparison)))
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.comparing:
			// Two nodes that differ would ask each other for ever.
			if time.Since(last) < every/10 {
				continue
			}
		case <-timer.C:
		}
		last = time.Now()
		n.compareState(n.ctx)
		timer.Reset(jitter(every))
	}
}

// compareSoon makes a comparison due.
func (n *Node) compareSoon() { signal(n.comparing) }

// compareState compares once, at the index that this node's state is at.
func (n *Node) compareState(ctx context.Context) {
	index := n.Applied()
	own, ok := n.store.HashAt(index)
	region, formed, err := n.regionNow()
	if !ok || !formed || err != nil {
		return
	}
	question := &clusterpb.CompareStateRequest{Index: index, Hash: own[:], DataEpoch: region.DataEpoch}
	servers := n.servers()
	var others []stateAt
	var wg sync.WaitGroup
	var mu sync.Mutex
	var names []string // of those that differ
	for _, server := range servers {
		if string(server.ID) == n.cfg.NodeID {
			continue
		}
		wg.Go(func() {
			s := n.askState(ctx, string(server.ID), string(server.Address), question)
			mu.Lock()
			defer mu.Unlock()
			others = append(others, s)
			if s.known && s.hash != own {
				names = append(names, string(server.ID))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil || len(servers) == 0 {
		return
	}
	v, differs := judge(own, others)
	n.metrics.compared(v, differs, n.cfg.Now())
	switch {
	case v == outvoted:
		n.fail(fmt.Errorf("%w at index %d, where a majority with %v agrees; it is fetched from them at the next start", ErrDiffers, index, names))
	case differs && v == agreed:
		n.log.Error("the state of a node differs from this one's and the majority's", "index", index, "nodes", names)
	case differs:
		n.log.Error("the states of nodes differ, and no majority tells which is right: none of them is given up", "index", index, "nodes", names)
	}
}

// askState asks one member.
func (n *Node) askState(ctx context.Context, id, address string, question *clusterpb.CompareStateRequest) stateAt {
	client, err := n.peer(id, address)
	if err != nil {
		return stateAt{}
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	answer, err := client.CompareState(ctx, question)
	if err != nil || !answer.Known || len(answer.Hash) != len(stateAt{}.hash) || !bytes.Equal(answer.DataEpoch, question.DataEpoch) {
		return stateAt{}
	}
	return stateAt{known: true, hash: [32]byte(answer.Hash)}
}

// CompareState tells this node's state hash at the sender's index.
func (s *internode) CompareState(ctx context.Context, r *clusterpb.CompareStateRequest) (*clusterpb.CompareStateResponse, error) {
	n := s.node
	if !n.running.Load() || n.stopped() != nil {
		return nil, errForming
	}
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if n.machine.applied.wait(ctx, r.Index) != nil {
		return &clusterpb.CompareStateResponse{}, nil
	}
	hash, known := n.store.HashAt(r.Index)
	region, formed, err := n.regionNow()
	if err != nil && !isPassing(err) {
		n.calmLog.Error("the state was not compared with another node's", "error", err)
		return nil, status.Error(codes.Internal, err.Error())
	}
	if !known || !formed || err != nil {
		return &clusterpb.CompareStateResponse{}, nil
	}
	if bytes.Equal(region.DataEpoch, r.DataEpoch) && !bytes.Equal(hash[:], r.Hash) {
		n.compareSoon()
	}
	return &clusterpb.CompareStateResponse{Known: true, Hash: hash[:], DataEpoch: region.DataEpoch}, nil
}
