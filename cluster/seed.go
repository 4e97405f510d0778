package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

const (
	// fetchStall bounds the wait for the next piece of a state, and for the
	// first while the sender makes a snapshot.
	fetchStall = 30 * time.Second
	// fetchChunk is the size of a piece, in bytes.
	fetchChunk = 256 << 10
)

// seed gets a snapshot of another node that covers what this node's log does
// not, and keeps it as a snapshot of its own. It asks all of them, for as long
// as ctx allows: until one is there the node takes no part in the region.
func (n *Node) seed(ctx context.Context, d *dataAtStart) error {
	if len(n.cfg.Voters) == 1 {
		return fmt.Errorf("%w: the log begins at %d, no usable snapshot or state ends there, and no other node has the state; restore a backup", ErrLogGap, d.first)
	}
	n.metrics.seeding.Set(1)
	defer n.metrics.seeding.Set(0)
	n.seeking.Store(true)
	defer n.seeking.Store(false)
	retry := backoff{least: 200 * time.Millisecond, most: 5 * time.Second}
	var reported time.Time
	for {
		reasons := make(map[string]error) // id: why not from there
		for _, i := range mathrand.Perm(len(n.cfg.Voters)) {
			v := n.cfg.Voters[i]
			if v.ID == n.cfg.NodeID {
				continue
			}
			err := n.fetchFrom(ctx, v, d)
			if err == nil {
				n.log.Info("a state was fetched", "from", v.ID)
				return nil
			}
			reasons[v.ID] = err
		}
		if time.Since(reported) > reportEvery {
			reported = time.Now()
			n.log.Error("the state is lost and no other node gives one yet", "must_cover", d.needs(), "nodes", reasons)
		}
		if !retry.wait(ctx) {
			return fmt.Errorf("waiting for a state from %v: %w", reasons, ctx.Err())
		}
	}
}

// fetchFrom takes the state of one node into this node's snapshots. What it
// holds is checked when it is restored.
func (n *Node) fetchFrom(ctx context.Context, v Voter, d *dataAtStart) error {
	client, err := n.peer(v.ID, v.Address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(fetchStall, func() { cancel(errors.New("it does not go on sending")) })
	defer stall.Stop()
	stream, err := client.FetchState(ctx, &clusterpb.FetchStateRequest{MinIndex: d.needs()})
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	h := first.GetHeader()
	configuration, err := acceptHeader(h, d)
	if err != nil {
		return err
	}
	if err := n.identity.bindCluster(h.ClusterId, h.DataEpoch); err != nil {
		return err
	}
	sink, err := n.snapshots.Create(raft.SnapshotVersionMax, h.Index, h.Term, configuration, h.ConfigurationIndex, addressBook{})
	if err != nil {
		return err
	}
	if err := receiveState(stream, sink, h.Size, func() { stall.Reset(fetchStall) }); err != nil {
		return errors.Join(err, context.Cause(ctx), sink.Cancel())
	}
	return sink.Close()
}

// acceptHeader judges what another node offers.
func acceptHeader(h *clusterpb.StateHeader, d *dataAtStart) (c raft.Configuration, err error) {
	switch {
	case h == nil:
		return c, errors.New("no header")
	case len(h.ClusterId) == 0 || d.logCluster != nil && !bytes.HasPrefix(d.logCluster, h.ClusterId):
		return c, fmt.Errorf("%w: it is of cluster %x", ErrForeignData, h.ClusterId)
	case h.Index < d.needs():
		return c, fmt.Errorf("it is at %d", h.Index)
	case len(h.Configuration) == 0:
		return c, errors.New("no configuration")
	}
	defer func() {
		if r := recover(); r != nil { // Raft's decoder knows no errors
			err = fmt.Errorf("configuration: %v", r)
		}
	}()
	return raft.DecodeConfiguration(h.Configuration), nil
}

// receiveState copies a stream's data, all of it or nothing that counts.
func receiveState(stream grpc.ServerStreamingClient[clusterpb.FetchStateResponse], to io.Writer, size uint64, goesOn func()) error {
	var received uint64
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && received != size:
			return fmt.Errorf("%d bytes of %d", received, size)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		goesOn()
		if received += uint64(len(m.Data)); received > size {
			return fmt.Errorf("more than %d bytes", size)
		}
		if _, err := to.Write(m.Data); err != nil {
			return err
		}
	}
}

// FetchState gives this node's state to one that lost its own. The snapshot is
// on disk before the first byte leaves: a slow receiver keeps no transaction
// open.
func (s *internode) FetchState(r *clusterpb.FetchStateRequest, stream grpc.ServerStreamingServer[clusterpb.FetchStateResponse]) error {
	n := s.node
	if !n.running.Load() || n.stopped() != nil {
		return errForming
	}
	if !n.giving.CompareAndSwap(false, true) {
		return status.Error(codes.ResourceExhausted, "the node gives its state to another one")
	}
	defer n.giving.Store(false)
	err := n.giveState(stream, r.MinIndex)
	if err != nil {
		n.log.Warn("a state was not given", "error", err)
		return status.Error(codes.Unavailable, err.Error())
	}
	return nil
}

func (n *Node) giveState(stream grpc.ServerStreamingServer[clusterpb.FetchStateResponse], covering uint64) error {
	meta, err := n.snapshotCovering(stream.Context(), covering)
	if err != nil {
		return err
	}
	region, ok, err := n.regionNow()
	if err != nil || !ok {
		return errors.Join(err, errForming)
	}
	meta, content, err := n.snapshots.Open(meta.ID)
	if err != nil {
		return err
	}
	defer content.Close()
	err = stream.Send(&clusterpb.FetchStateResponse{Header: &clusterpb.StateHeader{
		Index: meta.Index, Term: meta.Term, Size: uint64(meta.Size),
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex,
		ClusterId: region.ClusterID, DataEpoch: region.DataEpoch,
	}})
	buffer := make([]byte, fetchChunk)
	for err == nil {
		var size int
		if size, err = io.ReadFull(content, buffer); size > 0 {
			if err := stream.Send(&clusterpb.FetchStateResponse{Data: buffer[:size]}); err != nil {
				return err
			}
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// snapshotCovering returns a snapshot of the state as it is now, or at least one
// whose label is not below an index.
func (n *Node) snapshotCovering(ctx context.Context, index uint64) (*raft.SnapshotMeta, error) {
	meta, inside, err := n.snapshots.newest()
	if err != nil || meta == nil || meta.Index < index || inside < n.machine.applied.value.Load() {
		if err := n.futures.give(ctx, func() raft.Future { return n.raft.Snapshot() }); err != nil {
			n.log.Info("raft made no snapshot", "error", err)
		}
		meta, _, err = n.snapshots.newest()
	}
	if err != nil || meta == nil || meta.Index < index {
		// Raft makes none while it replays its log, and has no leader for that
		// if the node that asks is needed for one.
		made := n.snapshotState(n.store)
		if meta, _, err = n.snapshots.newest(); err != nil || meta == nil {
			return nil, errors.Join(errors.New("this node has no snapshot to give"), made, err)
		}
		if meta.Index < index {
			return nil, errors.Join(fmt.Errorf("this node's state is at %d, not at %d", meta.Index, index), made)
		}
	}
	return meta, nil
}
