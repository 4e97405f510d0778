package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/cluster/api"
	clustertransport "meridian/cluster/transport"
	"meridian/cmd/meridian/config"
	"meridian/crypto"
	"meridian/crypto/seal"
)

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return r
}

// prepareProcess sets what holds for the whole process.
func (s *server) prepareProcess() {
	if err := harden(); err != nil {
		s.log.Warn("The process's memory is not protected as it should be.", "event", "hardening_failed", "error", err.Error())
	}
	if devices := swapInUse(); len(devices) > 0 {
		s.log.Warn("Swap is on: keys in memory may be written to disk. Switch it off, or forbid it to this service (MemorySwapMax=0).",
			"event", "swap_enabled", "devices", devices)
	}
	s.warnUnlocked(keyMemoryLocked())
	tuneMemory(s.cfg.Memory)
}

// keyMemoryLocked tries whether memory for keys can be kept out of swap.
func keyMemoryLocked() (bool, error) {
	arena, err := crypto.NewArena(crypto.KeyBytes)
	if err != nil {
		return false, err
	}
	defer arena.Close()
	return arena.Locked(), nil
}

// warnUnlocked says what keyMemoryLocked found, if it is not as it should be.
func (s *server) warnUnlocked(locked bool, err error) {
	const event = "key_memory_unlocked"
	switch {
	case err != nil:
		s.log.Warn("Memory for keys cannot be reserved.", "event", event, "error", err.Error())
	case !locked:
		s.log.Warn("Memory for keys cannot be locked: they may be written to swap. Raise the limit of locked memory (LimitMEMLOCK=, ulimit -l).",
			"event", event)
	}
}

// clusterConfig is the node's part of the configuration.
func (s *server) clusterConfig(provider seal.Provider) cluster.Config {
	cfg := s.cfg
	voters := make([]cluster.Voter, len(cfg.Bootstrap.Voters))
	for i, v := range cfg.Bootstrap.Voters {
		voters[i] = cluster.Voter{ID: v.ID, Address: v.Address}
	}
	c := cluster.Config{
		NodeID:  cfg.Node.ID,
		Region:  cfg.Region.ID,
		Account: cfg.Region.Account,
		DataDir: cfg.Node.Data,
		Voters:  voters,
		Transport: clustertransport.Config{
			Listen:    func(_, _ string) (net.Listener, error) { return s.bound.cluster, nil },
			Address:   cfg.Listen.Cluster.Address,
			Advertise: cfg.Listen.Cluster.Advertise,
			CertFile:  cfg.Listen.Cluster.TLS.Cert,
			KeyFile:   cfg.Listen.Cluster.TLS.Key,
			CAFile:    cfg.Listen.Cluster.TLS.CA,
			Via:       cfg.Cluster.Dial,
		},
		Seal:    provider,
		Logger:  s.log,
		Metrics: s.metrics,
		Timing: cluster.Timing{
			Heartbeat:         cfg.Raft.HeartbeatTimeout,
			Commit:            cfg.Raft.CommitTimeout,
			Hold:              cfg.Raft.Hold,
			SnapshotInterval:  cfg.Raft.SnapshotInterval,
			SnapshotThreshold: uint64(cfg.Raft.SnapshotThreshold),
			SnapshotMaxAge:    cfg.Raft.SnapshotMaxAge,
			TrailingLogs:      uint64(cfg.Raft.TrailingLogs),
			StateCheck:        cfg.Raft.StateCheck,
		},
		Disk: cluster.Disk{
			StallLimit:   cfg.Disk.StallLimit,
			MinFree:      uint64(cfg.Disk.MinFree),
			Reserve:      int64(cfg.Disk.Reserve),
			MaxStateSize: int(cfg.Disk.MaxState),
		},
		KeyVersions: cfg.Limits.KeyVersions,
		Phase:       s.ops.phase,
		Exit: func(reason error) {
			s.log.Error("Storage failed; the process ends, and its log decides what happened once it runs again.",
				"event", "storage_failed", "error", joinLines(reason))
			s.flushLog()
			os.Exit(exitFailed)
		},
	}
	// In the node's configuration zero means the default; here it means none.
	if cfg.Disk.Reserve == 0 {
		c.Disk.Reserve = -1
	}
	if cfg.Disk.MinFree == 0 {
		c.Disk.MinFree = 1
	}
	return c
}

// readRootKey reads the access key of the account's root.
func (s *server) readRootKey() error {
	cfg := s.cfg
	secret, err := cfg.Access.Root.Secret.Read(os.LookupEnv)
	if err != nil {
		return fmt.Errorf("access.root.secret: %w", err)
	}
	root := access.Key{ID: cfg.Access.Root.ID, Secret: secret}
	root.MinSignature, _ = access.ParseSignature(cfg.Access.Root.MinSignature) // checked with the configuration
	s.identities, err = access.NewRoot(cfg.Region.Account, root)
	return err
}

// peersOf is what the API knows of the other regions.
func peersOf(cfg *config.Config) api.Peers {
	peers := api.Peers{ExportToAny: cfg.Export.Allow == config.ExportAny}
	for _, p := range cfg.Peers {
		peers.Regions = append(peers.Regions, p.Region)
		hashes, _ := p.TransportKeyHashes() // checked with the configuration
		peers.Pinned = append(peers.Pinned, hashes...)
	}
	return peers
}

// openAPI makes the API and puts it on its listeners.
func (s *server) openAPI() (err error) {
	cfg := s.cfg
	s.api, err = api.New(api.Config{
		Region:     s.node,
		RegionID:   cfg.Region.ID,
		Account:    cfg.Region.Account,
		NodeID:     cfg.Node.ID,
		Peers:      peersOf(cfg),
		Identities: s.identities,
		Limits: api.Limits{
			Keys: cfg.Limits.Keys, Aliases: cfg.Limits.Aliases, Plaintext: cfg.Limits.Plaintext,
			NoncesPerKey: cfg.Limits.NoncesPerKey, ConnectionsPerAddress: cfg.Limits.Connections,
			KeyVersions: cfg.Limits.KeyVersions, VersionInterval: versionInterval(cfg.Limits.VersionInterval),
		},
		Hosts:      ownNames(cfg.Listen.Names, cfg.Listen.API.Address, cfg.Listen.HTTP.Address),
		NonceFile:  filepath.Join(cfg.Node.Data, "nonces"),
		FirstStart: s.node.FirstStart(),
		Logger:     s.log,
		Metrics:    s.metrics,
	})
	if err != nil {
		return err
	}
	if l := s.bound.api; l != nil {
		if err := s.listen("api", l, s.certificate.TLS()); err != nil {
			return err
		}
	}
	if l := s.bound.http; l != nil {
		return s.listen("http", l, nil)
	}
	return nil
}

// versionInterval turns the configuration's zero, no interval, into the API's.
func versionInterval(configured time.Duration) time.Duration {
	if configured == 0 {
		return -1
	}
	return configured
}

// ownNames are the hosts by which clients may call this node: those configured,
// those it listens on, and what the machine calls itself.
func ownNames(configured []string, addresses ...string) []string {
	names := slices.Clone(configured)
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	for _, address := range addresses {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			continue // empty: off
		}
		ip := net.ParseIP(host)
		switch {
		case host == "" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified()):
			names = append(names, "localhost")
		case ip == nil:
			names = append(names, strings.ToLower(host))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
