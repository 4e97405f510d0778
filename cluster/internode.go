package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"meridian/cluster/clusterpb"
	"meridian/cluster/transport"
	"meridian/store"
	"meridian/store/storepb"
)

// internode answers the other nodes of the region. Who may ask for what is
// settled before, by admitted.
type internode struct {
	clusterpb.UnimplementedInternodeServer
	node *Node
}

// peer returns the client for calls to another node.
func (n *Node) peer(id, address string) (clusterpb.InternodeClient, error) {
	conn, err := n.transport.Client(id, address)
	if err != nil {
		return nil, err
	}
	return clusterpb.NewInternodeClient(conn), nil
}

var errForming = status.Error(codes.Unavailable, "the node does not take part in Raft yet")

// Propose proposes all commands before it waits for the first, so that they go to
// Raft together.
func (s *internode) Propose(ctx context.Context, r *clusterpb.ProposeRequest) (*clusterpb.ProposeResponse, error) {
	n := s.node
	answer := &clusterpb.ProposeResponse{Proposed: make([]*clusterpb.Proposed, len(r.Commands))}
	if !n.running.Load() {
		for i := range answer.Proposed {
			answer.Proposed[i] = &clusterpb.Proposed{Outcome: notLeader}
		}
		return answer, nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(time.Duration(r.HoldMs)*time.Millisecond, n.cfg.Timing.Hold))
	defer cancel()
	proposals := make([]*proposal, len(r.Commands))
	for i, command := range r.Commands {
		p := newProposal(command, n.deadline(ctx))
		if a, ok := n.submitFor(transport.Sender(ctx), p); ok {
			proposals[i] = p
		} else {
			answer.Proposed[i] = a.proposed()
		}
	}
	for i, p := range proposals {
		if p != nil {
			answer.Proposed[i] = p.wait(ctx, n.ctx).proposed()
		}
	}
	return answer, nil
}

// submitFor is submit for a command that another node made.
func (n *Node) submitFor(sender string, p *proposal) (a attempt, ok bool) {
	var c storepb.Command
	err := proto.Unmarshal(p.command, &c)
	if err == nil {
		err = checkFit(&c)
	}
	if err == nil && len(p.command) > maxCommand { // what enters the log is this, not c encoded anew
		err = fmt.Errorf("command of %d bytes, at most %d", len(p.command), maxCommand)
	}
	if err == nil && c.GetOrigin().GetNode() != sender {
		err = errors.New("the command's origin is not its sender")
	}
	if err != nil {
		return attempt{outcome: refused, reason: err}, false
	}
	return n.submit(p, &c)
}

// proposed is an attempt as the node that took the write is told of it.
func (a attempt) proposed() *clusterpb.Proposed {
	p := &clusterpb.Proposed{Outcome: a.outcome}
	if a.reason != nil {
		p.Reason = a.reason.Error()
	}
	var full *DiskFullError
	if errors.As(a.reason, &full) {
		p.Reason = full.Node
	}
	if a.outcome == decided {
		data, err := proto.Marshal(a.result)
		if err != nil {
			return &clusterpb.Proposed{Outcome: unknown, Reason: err.Error()}
		}
		p.Result = data
	}
	return p
}

func (s *internode) ReadIndex(ctx context.Context, _ *clusterpb.ReadIndexRequest) (*clusterpb.ReadIndexResponse, error) {
	n := s.node
	if !n.running.Load() || n.stopped() != nil || n.term() == nil {
		return &clusterpb.ReadIndexResponse{}, nil
	}
	index, err := n.leaderReads.shared(ctx)
	switch {
	case err == nil:
	case isPassing(err):
		return &clusterpb.ReadIndexResponse{}, nil
	default:
		n.calmLog.Error("a read index was not found out", "error", err)
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &clusterpb.ReadIndexResponse{Leading: true, Index: index}, nil
}

// isPassing tells errors that an election, a stop or a peer that is away explain.
func isPassing(err error) bool {
	for _, passing := range []error{errNotLeading, errNoLeader, ErrStopped, store.ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, passing) {
			return true
		}
	}
	switch status.Code(err) { // of a call to another node
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return false
}

// Confirm answers with the term after the question came in: no vote beyond it
// was given before.
func (s *internode) Confirm(ctx context.Context, _ *clusterpb.ConfirmRequest) (*clusterpb.ConfirmResponse, error) {
	n := s.node
	if !n.running.Load() {
		return nil, errForming
	}
	return &clusterpb.ConfirmResponse{
		Term:       n.raft.CurrentTerm(),
		WallUnixMs: n.cfg.Now().UnixMilli(),
	}, nil
}

func (s *internode) Describe(_ context.Context, _ *clusterpb.DescribeRequest) (*clusterpb.DescribeResponse, error) {
	data, err := json.Marshal(s.node.Status())
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &clusterpb.DescribeResponse{StatusJson: data}, nil
}

func (s *internode) Greet(ctx context.Context, r *clusterpb.GreetRequest) (*clusterpb.GreetResponse, error) {
	return s.node.greeted(transport.Sender(ctx), r.Incarnation)
}
