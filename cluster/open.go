package cluster

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/clusterpb"
	"meridian/cluster/transport"
	"meridian/crypto"
)

// Open starts a node on its data folder and returns once it takes part in the
// region, which may have no leader yet. As long as ctx allows it first waits, when
// the folder is empty, until every other voter has recorded it, and when the state
// is lost, until another node has given it one. Errors that refuse the folder:
// ErrReplaced, ErrNotMember, ErrLogTail, ErrLogGap, ErrLogDamaged, ErrForeignData,
// ErrNoLog, ErrInUse, ErrDisk.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, started: cfg.Now(), regionSet: make(chan struct{}, 1),
		unsealed: make(chan struct{}, 1), comparing: make(chan struct{}, 1)}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.calmLog = newCalmLogger(n.log, time.Now, func() bool { return n.stopping.Load() || n.ctx.Err() != nil })
	if err := n.start(ctx); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	dir := n.cfg.DataDir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	n.space = newSpace(dir, n.cfg.Disk, n.log)
	if err := n.space.probe(ctx, n.cfg.Disk.StallLimit); err != nil {
		return err
	}
	n.metrics = newMetrics(n)
	n.watch = newWatchdog(n.cfg.Disk.StallLimit, n.fail)
	n.space.look()
	n.spawn(func() { n.watch.run(n.ctx) })
	n.spawn(func() { n.space.run(n.ctx) })
	n.stamps = newStamps(n.cfg.Now, n.cfg.BootTime)
	n.gatherer.give = n.giveRaft
	n.leaderReads = &readIndex{node: n}

	if err := n.metrics.register(n.cfg.Metrics); err != nil {
		return err
	}
	data, err := n.openData(ctx)
	if err != nil {
		return err
	}
	if err := n.openTransport(); err != nil {
		return err
	}
	if err := n.heal(ctx, data); err != nil {
		return err
	}
	if n.ciphers, err = newCiphers(n.cfg.Region, n.cfg.Ciphers); err != nil {
		return err
	}
	members := newAppliedMembers(n.cfg.BootTime)
	if err := members.load(n.store); err != nil {
		return err
	}
	if err := n.openLeases(members, data); err != nil {
		return err
	}
	n.machine = &machine{
		store: n.store, watch: n.watch, fail: n.fail, handed: data.snapshotFSM,
		found: n.foundRegion, changed: n.dropCiphers, moved: n.leases.moved, members: members,
		committed: newAnnouncer(n).committed,
		ctx:       n.ctx, hurry: n.unserving,
	}
	n.machine.applied.advance(data.applied)
	if !n.identity.isFormed() {
		if err := n.meet(ctx); err != nil {
			return err
		}
	}
	if err := n.startRaft(); err != nil {
		return err
	}
	n.signalRegion()
	if err := n.checkAfterCrash(); err != nil {
		return err
	}
	n.spawn(n.keepUnsealed)
	n.spawn(n.keepRegistered)
	n.spawn(n.keepSnapshots)
	n.spawn(n.keepComparing)
	return nil
}

// openLeases makes the lease layer of this process.
func (n *Node) openLeases(members *appliedMembers, d *dataAtStart) error {
	start, err := n.identity.raiseStart()
	if err != nil {
		return err
	}
	if d.last > 0 {
		// Below a snapshot's label the log may have a gap: a snapshot that came
		// from elsewhere can lie beyond its end.
		from := max(d.first, d.snapshot+1, members.now.Load().members.Index+1)
		if err := n.raftStore.findConfigurations(from, d.last); err != nil {
			return err
		}
	}
	if n.leases, err = newLeases(n, start, members); err != nil {
		return err
	}
	n.freshness = n.leases
	return nil
}

func (n *Node) openTransport() error {
	cfg := n.cfg.Transport
	cfg.Region, cfg.NodeID, cfg.Logger = n.cfg.Region, n.cfg.NodeID, n.calmLog
	for _, v := range n.cfg.Voters {
		if v.ID == n.cfg.NodeID && cfg.Advertise == "" {
			cfg.Advertise = v.Address
		}
	}
	cfg.PeerID = func(address string) (string, bool) {
		for _, v := range n.cfg.Voters {
			if v.Address == address {
				return v.ID, true
			}
		}
		return "", false
	}
	// Not the members: a leader may be newer than what this node's log shows.
	cfg.Member = n.isVoter
	cfg.Admit, cfg.Panicked = n.admit, n.panicked
	var err error
	if n.transport, err = transport.Open(cfg); err != nil {
		return err
	}
	clusterpb.RegisterInternodeServer(n.transport.Server(), &internode{node: n})
	n.transport.Start()
	return nil
}

func (n *Node) startRaft() error {
	t := n.cfg.Timing
	logger := newRaftLogger(n.calmLog)
	notify := make(chan bool, 64)
	cfg := raft.DefaultConfig()
	cfg.ProtocolVersion = 3
	cfg.LocalID = raft.ServerID(n.cfg.NodeID)
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = t.Heartbeat, t.Heartbeat
	cfg.LeaderLeaseTimeout, cfg.CommitTimeout = t.LeaderLease, t.Commit
	cfg.MaxAppendEntries = 64 // the largest batch of ApplyBatch, too
	cfg.BatchApplyCh = true
	cfg.TrailingLogs = t.TrailingLogs
	cfg.SnapshotInterval, cfg.SnapshotThreshold = t.SnapshotInterval, t.SnapshotThreshold
	cfg.ShutdownOnRemove = true
	cfg.NoSnapshotRestoreOnStart = true // heal has done that, and better
	cfg.NoLegacyTelemetry = true
	cfg.Logger = logger
	cfg.NotifyCh = notify

	n.raftNet = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  n.transport.Raft(),
		MaxPool: 3,
		Timeout: 10 * time.Second,
		// No pipelining: a follower that answers "no" to a pipelined request can
		// wedge its replication for good while heartbeats look healthy.
		MaxRPCsInFlight:         1,
		MsgpackUseNewTimeFormat: true,
		Logger:                  logger,
	})
	var running atomic.Pointer[raft.Raft]
	patient := &patientTransport{NetworkTransport: n.raftNet, leading: func(term uint64) bool {
		r := running.Load()
		return r != nil && r.State() == raft.Leader && r.CurrentTerm() == term
	}}
	logs, err := raft.NewLogCache(512, n.raftStore)
	if err != nil {
		return err
	}
	if err := n.bootstrap(cfg, logs); err != nil {
		return err
	}
	if n.raft, err = raft.NewRaft(cfg, n.machine, logs, n.raftStore, n.snapshots, patient); err != nil {
		return fmt.Errorf("starting Raft: %w", err)
	}
	running.Store(n.raft)
	n.reigns = newReigns(n.ctx, n.raft.LeaderWithID, n.leases.leaderChanged)
	observed := make(chan raft.Observation, 64)
	n.raft.RegisterObserver(raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	n.spawn(func() { n.reigns.run(n.ctx, observed) })
	n.observePeers()
	n.spawn(func() { n.lead(n.ctx, notify) })
	n.spawn(func() { n.leases.run(n.ctx) })
	n.spawn(func() { n.leases.sendAcks(n.ctx) })
	n.running.Store(true)
	return nil
}

// bootstrap gives a node that has never taken part the voters of the region.
func (n *Node) bootstrap(cfg *raft.Config, logs raft.LogStore) error {
	exists, err := raft.HasExistingState(logs, n.raftStore, n.snapshots)
	if err != nil || exists {
		return err
	}
	var configuration raft.Configuration
	for _, v := range n.cfg.Voters {
		configuration.Servers = append(configuration.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(v.ID), Address: raft.ServerAddress(v.Address),
		})
	}
	if err := raft.BootstrapCluster(cfg, logs, n.raftStore, n.snapshots, n.raftNet, configuration); err != nil {
		return fmt.Errorf("forming the region: %w", err)
	}
	return nil
}

// foundRegion is the state machine's word that it knows the region.
func (n *Node) foundRegion(clusterID, dataEpoch []byte) error {
	return n.identity.bindCluster(clusterID, dataEpoch)
}

func (n *Node) signalRegion() { signal(n.regionSet) }

// signal wakes whoever waits on a channel of one place, now or later.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (n *Node) dropCiphers(all bool, ids ...crypto.KeyID) {
	index, _ := n.store.Applied()
	if all {
		n.ciphers.dropAll(index)
		n.signalRegion()
		return
	}
	n.ciphers.drop(index, ids...)
}
