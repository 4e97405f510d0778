package cluster

import (
	"context"
	"time"

	"meridian/cluster/clusterpb"
	"meridian/cluster/lease"
	"meridian/cluster/transport"
)

// Renew, Ack and Left are the messages of the lease layer.

func (s *internode) Renew(ctx context.Context, r *clusterpb.RenewRequest) (*clusterpb.RenewResponse, error) {
	sender := transport.Sender(ctx)
	n := s.node
	if !n.running.Load() {
		return nil, errForming
	}
	n.rooms.heard(sender, r.DiskLow, n.cfg.BootTime())
	g, ok := n.leases.layer.OnRenew(lease.NodeID(sender), lease.Renew{
		Term: r.Term, Name: lease.Name{Start: r.Start, Seq: r.Seq}, Applied: r.Applied,
		Echo: lease.Echo{Term: r.EchoTerm, Sent: lease.Instant(r.EchoSent)}, Age: time.Duration(r.Age),
	})
	if !ok {
		return &clusterpb.RenewResponse{}, nil
	}
	return &clusterpb.RenewResponse{
		Granted: true, Term: g.Term, Sent: int64(g.Sent), Start: g.Name.Start, Seq: g.Name.Seq,
		MinView: g.MinView, Length: int64(g.Length),
	}, nil
}

func (s *internode) Ack(ctx context.Context, r *clusterpb.AckRequest) (*clusterpb.AckResponse, error) {
	sender := transport.Sender(ctx)
	if s.node.running.Load() {
		s.node.leases.layer.OnAck(lease.NodeID(sender), lease.Ack{Applied: r.Applied})
	}
	return &clusterpb.AckResponse{}, nil
}

func (s *internode) Left(ctx context.Context, r *clusterpb.LeftRequest) (*clusterpb.LeftResponse, error) {
	sender := transport.Sender(ctx)
	if s.node.running.Load() {
		s.node.leases.layer.OnLeft(lease.NodeID(sender), lease.Left{Term: r.Term, Name: lease.Name{Start: r.Start, Seq: r.Seq}})
	}
	return &clusterpb.LeftResponse{}, nil
}
