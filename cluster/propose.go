package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"

	"meridian/cluster/clusterpb"
	"meridian/store"
	"meridian/store/storepb"
)

// maxWaiting bounds the writes that wait at the leader.
const maxWaiting = 4096

// outcome is what one attempt to propose came to.
type outcome = clusterpb.Proposed_Outcome

const (
	decided    = clusterpb.Proposed_OUTCOME_DECIDED
	notLeader  = clusterpb.Proposed_OUTCOME_NOT_LEADER
	unknown    = clusterpb.Proposed_OUTCOME_UNKNOWN
	throttled  = clusterpb.Proposed_OUTCOME_THROTTLED
	diskIsFull = clusterpb.Proposed_OUTCOME_DISK_FULL
	refused    = clusterpb.Proposed_OUTCOME_REFUSED
)

// attempt is the outcome with what belongs to it.
type attempt struct {
	outcome outcome
	result  *storepb.Result // of decided
	term    uint64          // of the log entry, of decided
	index   uint64          // the same
	reason  error           // of all others
}

// Propose makes a write and returns its result, which may be a refusal, once it is
// applied. It fills in the command's id, when it is empty, its version and its
// origin's node. While there is no leader the write is held, for up to
// Timing.Hold, and the same id is sent again, so that it takes effect at most
// once. Errors: ErrUnavailable, ErrThrottled, ErrDiskFull and ErrRefused say that
// it has not been started; ErrOutcomeUnknown says that nobody can tell yet.
func (n *Node) Propose(ctx context.Context, c *storepb.Command) (*storepb.Result, error) {
	if err := n.stopped(); err != nil {
		return nil, err
	}
	if len(c.Id) == 0 {
		c.Id = newCommandID()
	}
	if c.Version == 0 {
		c.Version = store.CommandVersion
	}
	if c.Origin == nil {
		c.Origin = new(storepb.Origin)
	}
	c.Origin.Node = n.cfg.NodeID
	if err := checkFit(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Hold)
	defer cancel()
	started := time.Now()
	result, err := n.hold(ctx, c)
	if err != nil && caller.Err() != nil {
		err = fmt.Errorf("%w: %w", err, caller.Err())
	}
	n.metrics.write(time.Since(started), err)
	return result, err
}

// ownOrigin is that of writes that nobody asked for but the region itself.
func (n *Node) ownOrigin() *storepb.Origin {
	return &storepb.Origin{Principal: "meridian", Node: n.cfg.NodeID}
}

// newCommandID is unique and begins with the time, so that the results of recent
// commands lie beside each other in the state: fewer pages to write for a batch.
func newCommandID() []byte {
	id := uuid.Must(uuid.NewV7()) // fails with the system's random source only
	return id[:]
}

// hold proposes until the outcome is definite or ctx ends. Once an attempt has
// an unknown outcome, no later refusal makes it definite: only a result does.
func (n *Node) hold(ctx context.Context, c *storepb.Command) (*storepb.Result, error) {
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	var pause time.Duration
	var doubt error // why an attempt's outcome is unknown
	var a attempt
	for tried := false; ; tried = true {
		reign := n.reigns.current()
		// A write that was not begun until now is not sent again so late that the
		// leader's answer may miss the end of the wait: that would make it unknown.
		if !tried || reign.id == n.cfg.NodeID || time.Until(n.deadline(ctx)) > answerTime {
			a = n.propose(ctx, reign, c, data)
		}
		switch a.outcome {
		case decided:
			return a.result, nil
		case unknown:
			doubt = a.reason
		case throttled, diskIsFull, refused:
			if doubt == nil {
				return nil, a.reason
			}
		}
		if n.ctx.Err() != nil {
			if doubt != nil {
				return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, doubt)
			}
			return nil, ErrStopped
		}
		pause = nextPause(pause)
		if reign.pause(ctx, pause) != nil {
			if doubt != nil {
				return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, doubt)
			}
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, a.reason)
		}
	}
}

// propose makes one attempt at the leader of a reign.
func (n *Node) propose(ctx context.Context, reign *reign, c *storepb.Command, data []byte) attempt {
	switch reign.id {
	case "":
		return attempt{outcome: notLeader, reason: errNoLeader}
	case n.cfg.NodeID:
		return n.proposeHere(ctx, c, data)
	}
	return n.forward(ctx, reign, data)
}

// proposeHere has the command stamped and given to Raft, and waits until it is
// applied here and no node can answer from before it. data is c, encoded.
func (n *Node) proposeHere(ctx context.Context, c *storepb.Command, data []byte) attempt {
	p := newProposal(data, n.deadline(ctx))
	if a, ok := n.submit(p, c); !ok {
		return a
	}
	return p.wait(ctx, n.ctx)
}

// deadline is that of ctx, for a write that is held no longer than Timing.Hold.
func (n *Node) deadline(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok {
		return d
	}
	return time.Now().Add(n.cfg.Timing.Hold)
}

// submit gives a proposal its place before Raft, or says why it has none.
func (n *Node) submit(p *proposal, c *storepb.Command) (a attempt, ok bool) {
	t := n.term()
	if t == nil {
		return attempt{outcome: notLeader, reason: errNotLeading}, false
	}
	if err := n.stopped(); err != nil {
		return attempt{outcome: notLeader, reason: err}, false
	}
	if full := n.withoutRoom(t); full != "" && !allowedOnLowDisk(c) {
		return attempt{outcome: diskIsFull, reason: &DiskFullError{Leader: n.cfg.NodeID, Node: full}}, false
	}
	if a, ok := n.count(); !ok {
		return a, false
	}
	n.gatherer.add(p)
	return attempt{}, true
}

// count enters a proposal among those that wait, until it is answered.
func (n *Node) count() (a attempt, ok bool) {
	if n.waiting.Add(1) > maxWaiting {
		n.waiting.Add(-1)
		return attempt{outcome: throttled, reason: ErrThrottled}, false
	}
	if !n.futures.begin() {
		n.waiting.Add(-1)
		return attempt{outcome: notLeader, reason: ErrStopped}, false
	}
	return attempt{}, true
}

// outcomeOf waits for a future and sorts its end into decided, not started and
// unknown.
func outcomeOf(f raft.ApplyFuture) attempt {
	err := f.Error()
	switch {
	case err == nil:
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		// Raft did not take the entry: these are answered before it enters the log.
		return attempt{outcome: notLeader, reason: err}
	default:
		return attempt{outcome: unknown, reason: err}
	}
	switch r := f.Response().(type) {
	case applyResult:
		return attempt{outcome: decided, result: r.result, term: r.term, index: f.Index()}
	case error:
		return attempt{outcome: unknown, reason: r}
	default:
		return attempt{outcome: unknown, reason: fmt.Errorf("state machine answered %T", r)}
	}
}

// allowedOnLowDisk tells commands that must go through on a nearly full disk, because
// they take material out of use or keep it from being destroyed. Destroying is
// not among them: it cannot be taken back, and waits until there is room. Imported
// material that is deleted, or expires, can come again.
func allowedOnLowDisk(c *storepb.Command) bool {
	switch b := c.Body.(type) {
	case *storepb.Command_DisableKey, *storepb.Command_ScheduleKeyDeletion, *storepb.Command_CancelKeyDeletion,
		*storepb.Command_DeleteAlias, *storepb.Command_DeleteKeyMaterial, *storepb.Command_ExpireKeyMaterial:
		return true
	case *storepb.Command_SetDeletionProtection:
		return b.SetDeletionProtection.GetEnabled()
	}
	return false
}
