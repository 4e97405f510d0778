package cluster_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster"
	"meridian/cluster/clusterpb"
	"meridian/cluster/clustertest"
	"meridian/cluster/transport"
)

// A certificate of the region's CA does not make a node a member: one that was
// retired, or never joined, is not heard as a leader and learns nothing.
func TestRegionDoesNotListenToANodeThatIsNoMember(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	victim := r.Follower()
	before := r.Node(victim).Status()
	const rogue = "retired-9"
	c := r.Stranger(rogue).Transport
	c.Region, c.NodeID = regionName, rogue
	tr, err := transport.Open(c)
	must(t, err)
	tr.Start()
	defer func() { _ = tr.Close() }()
	voter := r.Config(victim).Voters[victim]

	net := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: tr.Raft(), MaxPool: 1, Timeout: 5 * time.Second, MsgpackUseNewTimeFormat: true,
	})
	defer func() { _ = net.Close() }()
	var answer raft.AppendEntriesResponse
	err = net.AppendEntries(raft.ServerID(voter.ID), raft.ServerAddress(voter.Address), &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ProtocolVersion: 3, ID: []byte(rogue), Addr: []byte(c.Address)},
		Term:      before.Term + 1000,
	}, &answer)
	if err == nil || answer.Success {
		t.Errorf("obeyed as a leader: %+v", answer)
	}
	if after := r.Node(victim).Status(); after.Term >= before.Term+1000 || after.LeaderID == rogue {
		t.Errorf("term %d of leader %q; before %d", after.Term, after.LeaderID, before.Term)
	}

	refusesEveryCall(t, tr, voter)
}

// Nor does a place among the voters that a node was configured with.
func TestRegionDoesNotAnswerAVoterThatNeverBecameAMember(t *testing.T) {
	const rogue = "planned-9"
	var listed atomic.Bool
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		if listed.Load() {
			c.Voters = append(slices.Clone(c.Voters), cluster.Voter{ID: rogue, Address: "127.0.0.1:1"})
		}
	}})
	victim := r.Follower()
	must(t, r.Stop(victim))
	listed.Store(true)
	must(t, r.Start(victim))
	r.WaitReady()
	c := r.Stranger(rogue).Transport
	c.Region, c.NodeID = regionName, rogue
	tr, err := transport.Open(c)
	must(t, err)
	tr.Start()
	defer func() { _ = tr.Close() }()
	refusesEveryCall(t, tr, r.Config(victim).Voters[victim])
}

// refusesEveryCall makes every call of the service with an empty message.
func refusesEveryCall(t *testing.T, from *transport.Transport, to cluster.Voter) {
	t.Helper()
	conn, err := from.Client(to.ID, to.Address)
	must(t, err)
	ctx, service := within(t, 30*time.Second), clusterpb.Internode_ServiceDesc
	refused := func(name string, err error) {
		t.Helper()
		code := status.Code(err)
		// A node that would join a region learns that it is too late.
		late := name == "Greet" && code == codes.FailedPrecondition
		if code != codes.PermissionDenied && !late || !strings.Contains(err.Error(), "is not a member") {
			t.Errorf("%s: %v; want PermissionDenied", name, err)
		}
	}
	for _, m := range service.Methods {
		refused(m.MethodName, conn.Invoke(ctx, "/"+service.ServiceName+"/"+m.MethodName, &clusterpb.AckRequest{}, &clusterpb.AckResponse{}))
	}
	for _, s := range service.Streams {
		stream, err := conn.NewStream(ctx, &s, "/"+service.ServiceName+"/"+s.StreamName)
		must(t, err)
		must(t, stream.SendMsg(&clusterpb.AckRequest{}))
		must(t, stream.CloseSend())
		refused(s.StreamName, stream.RecvMsg(&clusterpb.AckResponse{}))
	}
}
