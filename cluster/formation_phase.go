package cluster

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// staysAway ends the refusal of a data folder that must not speak for its node.
const staysAway = "this node stays away and the others go on while they are a majority; replacing a node is not built yet"

// setPhase publishes what the node is doing before it takes part in Raft.
func (n *Node) setPhase(phase string) {
	if old := n.phase.Swap(&phase); old != nil && *old == phase {
		return
	}
	if n.cfg.Phase != nil {
		n.cfg.Phase(phase)
	}
}

// formingPhase says whom a forming node waits for, and why.
func formingPhase(pending map[string]string) string {
	var waits []string
	for _, id := range slices.Sorted(maps.Keys(pending)) {
		waits = append(waits, fmt.Sprintf("%s (%s)", id, pending[id]))
	}
	return "forming: waits for " + strings.Join(waits, ", ")
}

func addressOf(voters []Voter, id string) string {
	for _, v := range voters {
		if v.ID == id {
			return v.Address
		}
	}
	return ""
}

// failedGreetings are what a greeting may fail with, by a part of the error's
// text, which is all that gRPC leaves of its cause.
var failedGreetings = []struct{ text, reason, repair string }{
	{"connection refused", "connection refused", "start that node, or put its listen.cluster address into bootstrap.voters"},
	{"no such host", "no such host", "correct its host name in bootstrap.voters, or the name service"},
	{"no route to host", "no route to host", "check its address in bootstrap.voters, the network and the firewall"},
	{"network is unreachable", "network is unreachable", "check its address in bootstrap.voters and this machine's routes"},
	{"unknown authority", "bad certificate: signed by another CA", "give both nodes certificates of the same CA, and its ca.crt as listen.cluster.tls.ca"},
	{"expired", "bad certificate: expired or not yet valid", "renew the certificate, or set the clocks"},
	{"certificate", "bad certificate", "bad certificate: is its CA the same?"},
	{"handshake", "the TLS handshake fails", "check that its address in bootstrap.voters is its listen.cluster, not another listener"},
	{"first record does not look like", "no TLS there", "check that its address in bootstrap.voters is its listen.cluster, not another listener"},
	{"timeout", "no answer", "check its address in bootstrap.voters, the network and the firewall"},
}

const sameVoters = "make bootstrap.voters the same on every node"

// whyNotMet names the cause of a failed greeting, the same text while the cause
// is the same, and what to do about it.
func whyNotMet(err error) (reason, repair string) {
	text := status.Convert(err).Message()
	// Ours, and complete: the peer's certificate names somebody else.
	if _, other, ok := strings.Cut(text, "transport: peer refused: node "); ok {
		other = strings.ReplaceAll(strings.TrimSuffix(other, `"`), `\"`, `"`)
		return "node " + other, "check the addresses in bootstrap.voters: another node is behind this one"
	}
	for _, f := range failedGreetings {
		if strings.Contains(text, f.text) {
			return f.reason, f.repair
		}
	}
	if status.Code(err) == codes.PermissionDenied {
		return text, sameVoters
	}
	if status.Code(err) == codes.DeadlineExceeded {
		return "no answer", "check its address in bootstrap.voters, the network and the firewall"
	}
	var own interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &own) {
		return text, sameVoters
	}
	return text, "look into that node's log"
}
