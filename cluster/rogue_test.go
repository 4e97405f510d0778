package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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

	conn, err := tr.Client(voter.ID, voter.Address)
	must(t, err)
	node, ctx := clusterpb.NewInternodeClient(conn), within(t, 30*time.Second)
	for name, call := range map[string]func() error{
		"Confirm":   func() error { _, err := node.Confirm(ctx, &clusterpb.ConfirmRequest{}); return err },
		"ReadIndex": func() error { _, err := node.ReadIndex(ctx, &clusterpb.ReadIndexRequest{}); return err },
		"Describe":  func() error { _, err := node.Describe(ctx, &clusterpb.DescribeRequest{}); return err },
		"Renew":     func() error { _, err := node.Renew(ctx, &clusterpb.RenewRequest{}); return err },
		"Ack":       func() error { _, err := node.Ack(ctx, &clusterpb.AckRequest{}); return err },
		"Left":      func() error { _, err := node.Left(ctx, &clusterpb.LeftRequest{}); return err },
	} {
		if err := call(); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), rogue) {
			t.Errorf("%s: %v; want PermissionDenied", name, err)
		}
	}
}
