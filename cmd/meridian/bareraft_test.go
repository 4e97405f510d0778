//go:build measure

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// bareRaft is what a region's writes are measured against: three nodes of
// hashicorp/raft in this process, TCP between them, bbolt below log and state
// machine, no HTTP, no signatures, no leases, no forwarding.
type bareRaft struct {
	leader   *raft.Raft
	machines []*bareMachine
}

// bareCommand is the size of a command in bytes.
const bareCommand = 300

func startBareRaft(b *testing.B) *bareRaft {
	b.Helper()
	var all bareRaft
	var nodes []*raft.Raft
	var voters raft.Configuration
	for i := range 3 {
		dir := b.TempDir()
		cfg := raft.DefaultConfig()
		cfg.LocalID = raft.ServerID(fmt.Sprint("bare-", i))
		cfg.Logger = hclog.NewNullLogger()
		cfg.HeartbeatTimeout, cfg.ElectionTimeout, cfg.LeaderLeaseTimeout = 500*time.Millisecond, 500*time.Millisecond, 250*time.Millisecond
		cfg.CommitTimeout = 10 * time.Millisecond // what followers hear of a commit by
		cfg.MaxAppendEntries = 64
		cfg.BatchApplyCh = true
		log, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(dir, "raft.db"), BoltOptions: &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoFreelistSync: true}})
		if err != nil {
			b.Fatal(err)
		}
		m := newBareMachine(b, filepath.Join(dir, "state.db"))
		transport, err := raft.NewTCPTransport("127.0.0.1:0", nil, 3, time.Second, io.Discard)
		if err != nil {
			b.Fatal(err)
		}
		node, err := raft.NewRaft(cfg, m, log, log, raft.NewDiscardSnapshotStore(), transport)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := node.Shutdown().Error(); err != nil {
				b.Error(err)
			}
			_ = transport.Close() // nothing uses it any more
			_ = log.Close()
			_ = m.db.Close()
		})
		nodes = append(nodes, node)
		all.machines = append(all.machines, m)
		voters.Servers = append(voters.Servers, raft.Server{ID: cfg.LocalID, Address: transport.LocalAddr()})
	}
	if err := nodes[0].BootstrapCluster(voters).Error(); err != nil {
		b.Fatal(err)
	}
	if !eventually(func() bool {
		for _, n := range nodes {
			if n.State() == raft.Leader {
				all.leader = n
			}
		}
		return all.leader != nil
	}) {
		b.Fatal("no leader of the bare nodes")
	}
	return &all
}

// write is done when all three have applied it.
func (r *bareRaft) write() error {
	command := make([]byte, bareCommand)
	f := r.leader.Apply(command, 0)
	if err := f.Error(); err != nil {
		return err
	}
	for _, m := range r.machines {
		m.wait(f.Index())
	}
	return nil
}

// bareMachine puts each command under its index.
type bareMachine struct {
	b       *testing.B
	db      *bbolt.DB
	mu      sync.Mutex
	moved   *sync.Cond
	applied uint64
}

func newBareMachine(b *testing.B, path string) *bareMachine {
	b.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoFreelistSync: true})
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("commands"))
			return err
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	m := &bareMachine{b: b, db: db}
	m.moved = sync.NewCond(&m.mu)
	return m
}

func (m *bareMachine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

func (m *bareMachine) ApplyBatch(logs []*raft.Log) []any {
	last := logs[len(logs)-1].Index
	err := m.db.Update(func(tx *bbolt.Tx) error {
		for _, l := range logs {
			if l.Type != raft.LogCommand {
				continue
			}
			if err := tx.Bucket([]byte("commands")).Put(fmt.Appendf(nil, "%04d", l.Index%1024), l.Data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		m.b.Error(err)
	}
	m.mu.Lock()
	m.applied = last
	m.moved.Broadcast()
	m.mu.Unlock()
	return make([]any, len(logs))
}

func (m *bareMachine) wait(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.applied < index {
		m.moved.Wait()
	}
}

func (m *bareMachine) Snapshot() (raft.FSMSnapshot, error) { return nil, fmt.Errorf("none is taken") }

func (m *bareMachine) Restore(io.ReadCloser) error { return fmt.Errorf("none is taken") }

// load writes with a number of callers for a while and returns the writes a
// second.
func (r *bareRaft) load(b *testing.B, callers int, d time.Duration) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	total := 0
	began := time.Now()
	for range callers {
		wg.Go(func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				if err := r.write(); err != nil {
					b.Error(err)
					return
				}
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	return float64(total) / time.Since(began).Seconds()
}
