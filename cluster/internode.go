package cluster

import (
	"context"
	"encoding/json"
	"errors"
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

func (s *internode) Propose(ctx context.Context, r *clusterpb.ProposeRequest) (*clusterpb.ProposeResponse, error) {
	n := s.node
	if !n.running.Load() || n.stopped() != nil || n.term() == nil {
		return &clusterpb.ProposeResponse{Outcome: notLeader}, nil
	}
	var c storepb.Command
	if err := proto.Unmarshal(r.Command, &c); err != nil {
		return &clusterpb.ProposeResponse{Outcome: refused, Reason: err.Error()}, nil
	}
	if err := checkFit(&c); err != nil {
		return &clusterpb.ProposeResponse{Outcome: refused, Reason: err.Error()}, nil
	}
	if c.GetOrigin().GetNode() != transport.Sender(ctx) {
		return &clusterpb.ProposeResponse{Outcome: refused, Reason: "the command's origin is not its sender"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(time.Duration(r.HoldMs)*time.Millisecond, n.cfg.Timing.Hold))
	defer cancel()
	a := n.proposeHere(ctx, &c, r.Command)
	answer := &clusterpb.ProposeResponse{Outcome: a.outcome}
	if a.reason != nil {
		answer.Reason = a.reason.Error()
	}
	var full *DiskFullError
	if errors.As(a.reason, &full) {
		answer.Reason = full.Node
	}
	if a.outcome == decided {
		data, err := proto.Marshal(a.result)
		if err != nil {
			return &clusterpb.ProposeResponse{Outcome: unknown, Reason: err.Error()}, nil
		}
		answer.Result = data
	}
	return answer, nil
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
