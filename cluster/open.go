package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"meridian/cluster/clusterpb"
	"meridian/cluster/transport"
	"meridian/crypto"
	"meridian/store"
)

// Open starts a node on its data folder and returns once it takes part in the
// region, which may have no leader yet. When the folder is empty it first waits,
// as long as ctx allows, until every other voter has recorded it. Errors that
// refuse the folder: ErrReplaced, ErrNotMember, ErrLogTail, ErrLogGap,
// ErrForeignData, ErrNoLog, ErrInUse, ErrDisk.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.setDefaults()
	n := &Node{cfg: cfg, log: cfg.Logger, started: cfg.Now(), regionSet: make(chan struct{}, 1)}
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
	if err := probeDisk(ctx, dir, n.cfg.Disk.StallLimit); err != nil {
		return err
	}
	n.metrics = newMetrics(n)
	n.watch = newWatchdog(n.cfg.Disk.StallLimit, n.fail)
	n.space = newSpace(dir, n.cfg.Disk, n.log)
	n.space.look()
	n.spawn(func() { n.watch.run(n.ctx) })
	n.spawn(func() { n.space.run(n.ctx) })
	n.stamps.now = n.cfg.Now
	n.leaderReads = &readIndex{node: n}
	n.freshness = n.leaderReads

	data, err := n.openData()
	if err != nil {
		return err
	}
	restore, err := data.check()
	if err != nil {
		return err
	}
	if n.ciphers, err = newCiphers(n.cfg.Region, n.cfg.Ciphers); err != nil {
		return err
	}
	n.machine = &machine{
		store: n.store, watch: n.watch, fail: n.fail, handed: data.snapshotFSM,
		found: n.foundRegion, changed: n.dropCiphers,
	}
	n.machine.applied.advance(data.applied)
	if err := n.openTransport(); err != nil {
		return err
	}
	if !n.identity.isFormed() {
		if err := n.meet(ctx); err != nil {
			return err
		}
	}
	if err := n.startRaft(restore); err != nil {
		return err
	}
	if err := n.metrics.register(n.cfg.Metrics); err != nil {
		return err
	}
	n.signalRegion()
	if err := n.checkAfterCrash(); err != nil {
		return err
	}
	n.spawn(n.keepUnsealed)
	n.spawn(n.keepRegistered)
	n.spawn(n.keepSnapshots)
	return nil
}

// openData opens the files of the data folder and describes what they hold.
func (n *Node) openData() (dataAtStart, error) {
	var d dataAtStart
	dir := n.cfg.DataDir
	db, err := openRaftFile(dir, n.cfg.NodeID, n.cfg.Region)
	if err != nil {
		return d, err
	}
	n.raftDB = db
	n.raftStore = &raftStore{backend: db, watch: n.watch, fail: n.fail, observe: n.metrics.storage}
	if n.identity, err = loadIdentity(n.raftStore, n.cfg.NodeID, n.cfg.Region); err != nil {
		return d, err
	}
	if d.stateLost, err = n.openState(); err != nil {
		return d, err
	}
	if n.snapshots, err = openSnapshots(dir, n.cfg.Disk, newRaftLogger(n.calmLog)); err != nil {
		return d, err
	}
	if d.snapshot, d.snapshotFSM, err = n.snapshots.newest(); err != nil {
		return d, err
	}
	if d.first, err = n.raftStore.FirstIndex(); err != nil {
		return d, err
	}
	if d.last, err = n.raftStore.LastIndex(); err != nil {
		return d, err
	}
	if d.logCluster, err = n.identity.cluster(); err != nil {
		return d, err
	}
	d.applied, _ = n.store.Applied()
	return d, n.describeState(&d)
}

// describeState reads whose state it is and refuses another region's or node's.
func (n *Node) describeState(d *dataAtStart) error {
	v, err := n.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	region, ok := v.Region()
	if !ok {
		return nil
	}
	d.stateCluster = append(append(make([]byte, 0, 32), region.ClusterID...), region.DataEpoch...)
	if region.Region != n.cfg.Region || region.Account != n.cfg.Account {
		return fmt.Errorf("%w: the state is of region %q, account %q; configured are %q and %q",
			ErrForeignData, region.Region, region.Account, n.cfg.Region, n.cfg.Account)
	}
	node, ok, err := v.Node(n.cfg.NodeID)
	if err != nil {
		return err
	}
	if ok && string(node.Incarnation) != string(n.identity.incarnation) {
		return fmt.Errorf("%w: the state beside %s is of another data folder of node %q", ErrReplaced, raftFile, n.cfg.NodeID)
	}
	return nil
}

// openState opens the state file. A damaged one is set aside: what it held comes
// back from the snapshot and the log.
func (n *Node) openState() (lost bool, err error) {
	path := filepath.Join(n.cfg.DataDir, stateFile)
	bad, err := hasMark(n.cfg.DataDir, badMark)
	if err != nil {
		return false, err
	}
	if bad {
		n.log.Error("the state file was found damaged: it is rebuilt from the snapshot and the log")
		if err := errors.Join(n.setAside(path), unmark(n.cfg.DataDir, badMark)); err != nil {
			return false, err
		}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		lost = true
	}
	cfg := store.Config{Path: path, MaxSize: n.cfg.Disk.MaxStateSize, Logger: n.log}
	n.store, err = store.Open(cfg)
	if errors.Is(err, store.ErrDamaged) {
		n.log.Error("the state file is damaged: it is rebuilt from the snapshot and the log", "error", err)
		if err := n.setAside(path); err != nil {
			return false, err
		}
		lost = true
		n.store, err = store.Open(cfg)
	}
	return lost, err
}

func (n *Node) setAside(path string) error {
	aside := fmt.Sprintf("%s.damaged-%s", path, n.cfg.Now().UTC().Format("20060102T150405.000"))
	err := os.Rename(path, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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
	var err error
	if n.transport, err = transport.Open(cfg); err != nil {
		return err
	}
	clusterpb.RegisterInternodeServer(n.transport.Server(), &internode{node: n})
	n.transport.Start()
	return nil
}

func (n *Node) startRaft(restore bool) error {
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
	cfg.NoSnapshotRestoreOnStart = !restore
	cfg.NoLegacyTelemetry = true
	cfg.Logger = logger
	cfg.NotifyCh = notify
	n.snapshots.onlyNewest.Store(restore)

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
	n.snapshots.onlyNewest.Store(false)
	n.reigns = newReigns(n.ctx, n.raft.LeaderWithID)
	observed := make(chan raft.Observation, 64)
	n.raft.RegisterObserver(raft.NewObserver(observed, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	n.spawn(func() { n.reigns.run(n.ctx, observed) })
	n.observePeers()
	n.spawn(func() { n.lead(n.ctx, notify) })
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

func (n *Node) signalRegion() {
	select {
	case n.regionSet <- struct{}{}:
	default:
	}
}

func (n *Node) dropCiphers(all bool, ids ...crypto.KeyID) {
	if all {
		n.ciphers.dropAll()
		n.signalRegion()
		return
	}
	n.ciphers.drop(ids...)
}
