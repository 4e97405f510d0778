package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"meridian/cluster/clusterpb"
)

// A region is formed in three steps, each safe against a crash at any point.
//
//  1. Every voter's data folder has a random incarnation. A voter with an empty
//     folder greets all others and takes part in Raft only after each of them has
//     recorded its incarnation on disk. So a disk that is wiped later is known to
//     every other voter, whichever of them are up: a node must not vote a second
//     time in a term that it forgot.
//  2. The voters start Raft with the same configuration; one is elected.
//  3. The leader makes the region (InitRegion), and every node registers its
//     incarnation in the replicated state.

const (
	greetInterval = 200 * time.Millisecond
	greetTimeout  = 2 * time.Second
)

// greeted answers a voter that is about to take part, or asks again.
func (n *Node) greeted(sender string, incarnation []byte) (*clusterpb.GreetResponse, error) {
	answer := &clusterpb.GreetResponse{Incarnation: n.identity.incarnation}
	known, err := n.registered(sender)
	if err != nil {
		return nil, err
	}
	if known != nil && string(known) != string(incarnation) {
		answer.Replaced = true
		return answer, nil
	}
	if answer.Accepted, err = n.identity.admitPeer(sender, incarnation); err != nil {
		return nil, err
	}
	answer.Replaced = !answer.Accepted
	return answer, nil
}

func (n *Node) isVoter(id string) bool {
	for _, v := range n.cfg.Voters {
		if v.ID == id {
			return true
		}
	}
	return false
}

// registered returns the incarnation that the replicated state has for a node,
// nil when it has none.
func (n *Node) registered(id string) ([]byte, error) {
	v, err := n.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	record, ok, err := v.Node(id)
	if err != nil || !ok {
		return nil, err
	}
	return record.Incarnation, nil
}

// meet greets every other voter until all have recorded this node, then marks it
// as formed. It returns ErrReplaced when one of them knows other data under this
// node's id, ErrNotMember when the region was formed without it, and the error of
// ctx.
func (n *Node) meet(ctx context.Context) error {
	pending := make(map[string]string) // id: why not yet
	var others []Voter
	for _, v := range n.cfg.Voters {
		if v.ID != n.cfg.NodeID {
			others = append(others, v)
			pending[v.ID] = "not asked yet"
		}
	}
	n.setPhase(formingPhase(pending))
	defer n.setPhase("")
	for len(pending) > 0 {
		for id, err := range n.greetAll(ctx, others, pending) {
			if err == nil {
				delete(pending, id)
				continue
			}
			if errors.Is(err, ErrReplaced) {
				return fmt.Errorf("%w: node %q knows node %q with another data folder; %s", ErrReplaced, id, n.cfg.NodeID, staysAway)
			}
			if status.Code(err) == codes.FailedPrecondition {
				return fmt.Errorf("%w: node %q answers: %s; adding a node is not built yet", ErrNotMember, id, status.Convert(err).Message())
			}
			reason, repair := whyNotMet(err)
			if pending[id] != reason {
				pending[id] = reason
				n.log.Warn("forming the region: waits for a voter", "voter", id, "address", addressOf(others, id), "error", reason, "repair", repair)
			}
		}
		if len(pending) == 0 {
			break
		}
		n.setPhase(formingPhase(pending))
		select {
		case <-time.After(greetInterval):
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", formingPhase(pending), ctx.Err())
		}
	}
	return n.identity.setFormed()
}

// greetAll greets the voters that are pending, at the same time.
func (n *Node) greetAll(ctx context.Context, voters []Voter, pending map[string]string) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		answers = make(map[string]error)
	)
	for _, v := range voters {
		if _, ok := pending[v.ID]; !ok {
			continue
		}
		wg.Go(func() {
			err := n.greet(ctx, v)
			mu.Lock()
			answers[v.ID] = err
			mu.Unlock()
		})
	}
	wg.Wait()
	return answers
}

func (n *Node) greet(ctx context.Context, v Voter) error {
	client, err := n.peer(v.ID, v.Address)
	if err != nil {
		return err
	}
	answer, err := client.Greet(ctx, &clusterpb.GreetRequest{Incarnation: n.identity.incarnation})
	switch {
	case err != nil:
		return err
	case answer.Replaced:
		return ErrReplaced
	case !answer.Accepted:
		return fmt.Errorf("node %q did not record this node", v.ID)
	}
	accepted, err := n.identity.admitPeer(v.ID, answer.Incarnation)
	if err != nil {
		return err
	}
	if !accepted {
		return fmt.Errorf("node %q came with other data", v.ID)
	}
	return nil
}
