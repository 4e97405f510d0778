package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"meridian/cluster/clusterpb"
	"meridian/cluster/transport"
	"meridian/store/storepb"
)

// forwards sends writes to the leader of a reign. A write alone goes at once. While
// others are under way it waits a moment for those that come with it, since a call
// costs the more CPU the less it carries, and the leader has Raft take the writes
// in groups anyway.
type forwards struct {
	mu     sync.Mutex
	queue  []*proposal
	flying int  // calls under way
	linger bool // a call will take the queue in a moment
}

const (
	// lingerTime is short beside the syncs that each write waits for.
	lingerTime = time.Millisecond
	// maxForward and maxForwarded bound the commands of a call, in bytes and in
	// number.
	maxForward   = transport.MaxMessage - 64<<10
	maxForwarded = 64
	// maxResult is more than a result can have, in bytes: it holds a key's record,
	// with a description of 8,192 characters of up to four bytes.
	maxResult = 64 << 10
	// answerTime is what the leader's last word has to reach the node that took the
	// writes before its own wait ends, or a write that was never begun would end
	// with an unknown outcome.
	answerTime = 100 * time.Millisecond
)

// forward hands the command to the leader.
func (n *Node) forward(ctx context.Context, reign *reign, data []byte) attempt {
	p := newProposal(data, n.deadline(ctx))
	f := &reign.forwards
	f.mu.Lock()
	f.queue = append(f.queue, p)
	switch {
	case f.flying == 0:
		f.flying++
		n.spawn(func() { n.fly(reign) })
	case !f.linger:
		f.linger = true
		n.spawn(func() { n.lingerAndFly(reign) })
	}
	f.mu.Unlock()
	// The calls end with the reign, this wait with its caller.
	return p.wait(ctx, n.ctx)
}

func (n *Node) lingerAndFly(reign *reign) {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-reign.ctx.Done():
	}
	f := &reign.forwards
	f.mu.Lock()
	f.linger = false
	f.flying++
	f.mu.Unlock()
	n.fly(reign)
}

// fly sends what waits in as many calls as it takes.
func (n *Node) fly(reign *reign) {
	f := &reign.forwards
	for {
		f.mu.Lock()
		group := f.take()
		if len(group) == 0 {
			f.flying--
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for i, a := range n.send(reign, group) {
			group[i].done <- a
		}
	}
}

// take returns what goes into one call. The caller holds mu.
func (f *forwards) take() (group []*proposal) {
	size := 0
	for len(f.queue) > 0 && len(group) < maxForwarded {
		p := f.queue[0]
		if size+len(p.command) > maxForward && len(group) > 0 {
			break
		}
		f.queue = f.queue[1:]
		if !p.taken.Swap(true) { // else nobody waits for it
			group = append(group, p)
			size += len(p.command)
		}
	}
	return group
}

// send makes a call and returns an attempt for each proposal.
func (n *Node) send(reign *reign, group []*proposal) []attempt {
	all := func(a attempt) []attempt {
		out := make([]attempt, len(group))
		for i := range out {
			out[i] = a
		}
		return out
	}
	client, err := n.peer(reign.id, reign.address)
	if err != nil {
		return all(attempt{outcome: notLeader, reason: err})
	}
	var last time.Time
	request := new(clusterpb.ProposeRequest)
	for _, p := range group {
		request.Commands = append(request.Commands, p.command)
		if p.deadline.After(last) {
			last = p.deadline
		}
	}
	hold := time.Until(last)
	request.HoldMs = uint32(max((hold - min(answerTime, hold/4)).Milliseconds(), 1))
	ctx, cancel := context.WithDeadline(reign.ctx, last)
	defer cancel()
	ctx, sent := transport.WatchSend(ctx)
	answer, err := client.Propose(ctx, request, grpc.MaxCallRecvMsgSize(maxForwarded*maxResult))
	switch {
	case status.Code(err) == codes.PermissionDenied: // before anything was done
		return all(attempt{outcome: refused, reason: fmt.Errorf("%w: %w", ErrRefused, err)})
	case err != nil && sent.Left():
		return all(attempt{outcome: unknown, reason: err})
	case err != nil:
		return all(attempt{outcome: notLeader, reason: err})
	}
	return attemptsOf(reign.id, answer.Proposed, len(group))
}

// attemptsOf is what the leader says came of the commands of a call.
func attemptsOf(leader string, proposed []*clusterpb.Proposed, commands int) []attempt {
	out := make([]attempt, commands)
	for i := range out {
		if len(proposed) == commands {
			out[i] = attemptOf(leader, proposed[i])
		} else {
			out[i] = attempt{outcome: unknown, reason: fmt.Errorf("leader %s: %d outcomes of %d writes", leader, len(proposed), commands)}
		}
	}
	return out
}

// attemptOf is what the leader says came of a command.
func attemptOf(leader string, p *clusterpb.Proposed) attempt {
	a := attempt{outcome: p.Outcome}
	switch p.Outcome {
	case decided:
		a.result = new(storepb.Result)
		if err := proto.Unmarshal(p.Result, a.result); err != nil {
			return attempt{outcome: unknown, reason: fmt.Errorf("result of the leader: %w", err)}
		}
	case notLeader:
		a.reason = errNotLeading
	case throttled:
		a.reason = ErrThrottled
	case diskIsFull:
		a.reason = &DiskFullError{Leader: leader, Node: p.Reason}
	case refused:
		a.reason = fmt.Errorf("%w: %s", ErrRefused, p.Reason)
	default:
		return attempt{outcome: unknown, reason: fmt.Errorf("leader %s: %s", leader, p.Reason)}
	}
	return a
}
