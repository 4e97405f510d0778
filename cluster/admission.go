package cluster

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

// Certificates outlive memberships: who holds one of the region's CA may connect,
// and is asked here for more before a call of his does anything.

// rule says whose calls of a method are answered.
type rule func(n *Node, sender string) error

// admitted has a rule for every method of the service. Methods without one are
// refused.
var admitted = map[string]rule{
	clusterpb.Internode_Greet_FullMethodName: configuredVoter,

	clusterpb.Internode_Propose_FullMethodName:      member,
	clusterpb.Internode_ReadIndex_FullMethodName:    member,
	clusterpb.Internode_Confirm_FullMethodName:      member,
	clusterpb.Internode_Renew_FullMethodName:        member,
	clusterpb.Internode_Ack_FullMethodName:          member,
	clusterpb.Internode_Left_FullMethodName:         member,
	clusterpb.Internode_CompareState_FullMethodName: member,
	// A node that lost everything but its log is a member all the same.
	clusterpb.Internode_FetchState_FullMethodName: member,
	clusterpb.Internode_Describe_FullMethodName:   member,
}

func (n *Node) admit(sender, method string) error {
	holds, ok := admitted[method]
	if !ok {
		return status.Errorf(codes.PermissionDenied, "%s is open to nobody, %s included", method, sender)
	}
	return holds(n, sender)
}

// configuredVoter admits the voters of bootstrap.voters, for what is said before
// there are members. One that comes to a region that was formed without it is
// told so: it has nothing to wait for.
func configuredVoter(n *Node, sender string) error {
	switch {
	case n.running.Load() && !n.isMember(sender):
		return status.Errorf(codes.FailedPrecondition, "region %s is already formed, %s is not a member", n.cfg.Region, sender)
	case !n.isVoter(sender):
		return status.Errorf(codes.PermissionDenied, "node %q is not among the voters of node %q", sender, n.cfg.NodeID)
	}
	return nil
}

// member admits the servers of Raft's latest configuration. Before this node
// takes part in Raft it knows none; then those that it would form the region with
// may learn that it is not there yet.
func member(n *Node, sender string) error {
	known := n.isVoter
	if n.running.Load() {
		known = n.isMember
	}
	if !known(sender) {
		return status.Errorf(codes.PermissionDenied, "%s is not a member of region %s", sender, n.cfg.Region)
	}
	return nil
}

// errPanic is a defect that a call brought out, or a damaged page of the state,
// at which bbolt panics.
var errPanic = errors.New("cluster: a call could not be answered")

// panicked ends the process: what the call was changing, the lease among it, may
// be half done, and a node that cannot vouch for that must not answer.
func (n *Node) panicked(reason error) { n.fail(fmt.Errorf("%w: %w", errPanic, reason)) }
