package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/clusterpb"
	"meridian/cluster/lease"
)

// leases is Freshness by read leases: reads ask nobody, and a write is released
// once no node can answer from before it. It drives the protocol of package
// lease, which has the rules and the reasons.
type leases struct {
	node  *Node
	layer *lease.Node
	wake  chan struct{} // the loop has something to look at
	acks  chan struct{} // a follower's state has moved on

	failing atomic.Bool // the last renewal had no answer
}

func newLeases(n *Node, start uint64, members *appliedMembers) (*leases, error) {
	t := n.cfg.Timing
	layer, err := lease.New(lease.Config{
		Self:    lease.NodeID(n.cfg.NodeID),
		Start:   start,
		Length:  t.Lease,
		Margin:  t.LeaseMargin,
		Renewal: t.LeaseRenewal,
		Clock:   bootClock{n.cfg.BootTime, n.cfg.Now},
		Raft:    leaseRaft{n},
		Machine: leaseMachine{n, members},
	})
	if err != nil {
		return nil, err
	}
	return &leases{node: n, layer: layer, wake: make(chan struct{}, 1), acks: make(chan struct{}, 1)}, nil
}

// Admit lets a read begin if the state is where some grant wants it. Whether that
// grant is live is for Check: one look at the clock a read is enough. A read that Check has refused waits for a live grant, for no
// longer than Timing.LeaseWait: a node that is cut off refuses, so that its
// caller asks another.
func (l *leases) Admit(ctx context.Context, again bool) (Ticket, error) {
	if !again && l.layer.Promising(l.node.machine.applied.value.Load()) {
		return Ticket{}, nil
	}
	return Ticket{}, l.await(ctx)
}

// await waits until the state is where a live grant wants it.
func (l *leases) await(ctx context.Context) error {
	n := l.node
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.LeaseWait)
	defer cancel()
	const lookInterval = 5 * time.Millisecond
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		floor, ok := l.layer.Floor()
		if ok && n.machine.applied.wait(ctx, floor) == nil {
			if l.layer.Live() {
				return nil
			}
			continue
		}
		select {
		case <-ctx.Done():
			if err := n.stopped(); err != nil {
				return err
			}
			n.metrics.leaseRefusals.Inc()
			err := fmt.Errorf("%w: %s", ErrUnavailable, lacking(l.layer.Until(), n.cfg.BootTime()))
			if gone := caller.Err(); gone != nil {
				err = fmt.Errorf("%w: %w", err, gone)
			}
			return err
		case <-ticker.C:
		}
	}
}

// lacking says why a read was not admitted in time, by when the last grant ends.
func lacking(until, now lease.Instant) string {
	switch {
	case until == lease.Never:
		return "this node has no lease from a leader"
	case until > now:
		return "this node's state is behind what its lease asks for"
	default:
		return fmt.Sprintf("this node has had no lease from a leader for %v", max(now-until, time.Millisecond).Round(time.Millisecond))
	}
}

// Check is the last thing before an answer.
func (l *leases) Check(_ Ticket, viewIndex uint64) error {
	if l.layer.MayAnswer(viewIndex) {
		return nil
	}
	return ErrStale
}

// run renews and releases in time, until ctx ends.
func (l *leases) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
		}
		now := l.node.cfg.BootTime()
		if l.layer.NextRenewal() <= now {
			l.renew(ctx)
		}
		l.layer.Release()
		next := l.layer.NextRenewal()
		if at, ok := l.layer.NextRelease(); ok {
			next = min(next, at)
		}
		timer.Reset(max(next-l.node.cfg.BootTime(), time.Millisecond))
	}
}

// tick wakes the loop.
func (l *leases) tick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// leaderChanged makes a renewal due at once.
func (l *leases) leaderChanged() {
	l.layer.RenewNow()
	l.tick()
}

// renew sends one renewal; it is not repeated if it is lost.
func (l *leases) renew(ctx context.Context) {
	n := l.node
	reign := n.reigns.current()
	if reign.id == n.cfg.NodeID {
		l.layer.SelfGrant()
		if l.layer.OpenedTerm() != 0 {
			return
		}
	}
	m, ok := l.layer.Renew()
	if !ok || reign.id == "" || reign.id == n.cfg.NodeID {
		return
	}
	n.spawn(func() {
		ctx, cancel := context.WithTimeout(ctx, n.cfg.Timing.Lease)
		defer cancel()
		g, err := l.askRenewal(ctx, reign, m)
		l.renewed(reign.id, g, err)
		if err != nil || !g.Granted {
			return
		}
		l.layer.OnGrant(lease.Grant{
			Term: g.Term, Sent: lease.Instant(g.Sent), Name: lease.Name{Start: g.Start, Seq: g.Seq},
			MinView: g.MinView, Length: time.Duration(g.Length),
		})
		if g.Length == 0 {
			l.tick()
		}
	})
}

func (l *leases) askRenewal(ctx context.Context, reign *reign, m lease.Renew) (*clusterpb.RenewResponse, error) {
	n := l.node
	client, err := n.peer(reign.id, reign.address)
	if err != nil {
		return nil, err
	}
	return client.Renew(ctx, &clusterpb.RenewRequest{
		Term: m.Term, Start: m.Name.Start, Seq: m.Name.Seq, Applied: m.Applied,
		EchoTerm: m.Echo.Term, EchoSent: int64(m.Echo.Sent), Age: int64(m.Age),
		DiskLow: n.space.Low(),
	})
}

// renewed counts what became of a renewal, and logs the first in a row that had no
// answer.
func (l *leases) renewed(leader string, g *clusterpb.RenewResponse, err error) {
	n := l.node
	switch {
	case err != nil:
		n.metrics.renewals.WithLabelValues(renewalFailed).Inc()
		if !l.failing.Swap(true) && n.ctx.Err() == nil {
			n.log.Warn("a renewal of the lease had no answer", "leader", leader, "error", err)
		}
		return
	case g.Granted:
		n.metrics.renewals.WithLabelValues(renewalGranted).Inc()
	default:
		n.metrics.renewals.WithLabelValues(renewalDenied).Inc()
	}
	l.failing.Store(false)
}

// sendAcks tells the leader of each move of this node's state: the newest index
// only, one message at a time.
func (l *leases) sendAcks(ctx context.Context) {
	n := l.node
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.acks:
		}
		reign := n.reigns.current()
		if reign.id == "" || reign.id == n.cfg.NodeID {
			continue
		}
		client, err := n.peer(reign.id, reign.address)
		if err != nil {
			continue
		}
		ctx, end := reign.during(ctx)
		call, cancel := context.WithTimeout(ctx, n.cfg.Timing.LeaseRenewal)
		// A lost ack is made up for by the next one, or by a renewal.
		_, _ = client.Ack(call, &clusterpb.AckRequest{Applied: n.machine.applied.value.Load()})
		cancel()
		end()
	}
}

// moved is called when new views show a higher index.
func (l *leases) moved() {
	select {
	case l.acks <- struct{}{}:
	default:
	}
	l.tick()
}

// leave gives up the lease at a clean stop and tells the leader, so that no
// write waits for this node. A node that has just handed leadership over first
// learns who took it: its message ends the successor's assumption only if it
// carries the successor's term.
func (l *leases) leave(ctx context.Context) {
	n := l.node
	reign := l.successor(ctx)
	left := l.layer.Leave()
	if reign.id == "" || reign.id == n.cfg.NodeID {
		return
	}
	client, err := n.peer(reign.id, reign.address)
	if err != nil {
		return
	}
	if _, err := client.Left(ctx, &clusterpb.LeftRequest{Term: left.Term, Start: left.Name.Start, Seq: left.Name.Seq}); err != nil {
		n.log.Info("the leader was not told that this node leaves: writes may wait for its lease once", "error", err)
	}
}

// successor waits, as long as an election usually takes, until another node than
// this one is known to lead. A node that goes on leading has none.
func (l *leases) successor(ctx context.Context) *reign {
	n := l.node
	ctx, cancel := context.WithTimeout(ctx, 2*n.cfg.Timing.Heartbeat)
	defer cancel()
	const lookInterval = 2 * time.Millisecond
	for {
		reign := n.reigns.current()
		switch {
		case reign.id != "" && reign.id != n.cfg.NodeID, n.raft.State() == raft.Leader:
			return reign
		}
		if reign.pause(ctx, lookInterval) != nil {
			return reign
		}
	}
}

// leaseRaft is Raft as the lease layer sees it.
type leaseRaft struct{ n *Node }

func (r leaseRaft) Term() uint64 { return r.n.raft.CurrentTerm() }

func (r leaseRaft) Leading() uint64 {
	if t := r.n.raft.CurrentTerm(); r.n.leading(t) {
		return t
	}
	return 0
}

func (r leaseRaft) Latest() lease.Members {
	f := r.n.raft.GetConfiguration()
	if f.Error() != nil {
		return lease.Members{} // never: Raft answers it from memory
	}
	// The log has shown what is newer than the state; after a start, or when a
	// snapshot came, the state's own is the latest.
	applied := r.n.machine.members.now.Load().members.Index
	return leaseMembers(f.Configuration(), max(applied, r.n.raftStore.newestConfiguration.Load()))
}

// leaseMembers orders a Raft configuration by suffrage.
func leaseMembers(c raft.Configuration, index uint64) lease.Members {
	m := lease.Members{Index: index}
	for _, s := range c.Servers {
		if s.Suffrage == raft.Voter {
			m.Voters = append(m.Voters, lease.NodeID(s.ID))
		} else {
			m.NonVoters = append(m.NonVoters, lease.NodeID(s.ID))
		}
	}
	return m
}

// leaseMachine is the state machine as the lease layer sees it.
type leaseMachine struct {
	n       *Node
	members *appliedMembers
}

func (m leaseMachine) Index() uint64 { return m.n.machine.applied.value.Load() }

func (m leaseMachine) Configuration() (lease.Members, lease.Instant) {
	a := m.members.now.Load()
	return a.members, a.since
}
