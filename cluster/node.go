// Package cluster runs one region's node: it replicates the region's state with
// Raft, applies it to the store, and answers for it.
//
// A write on any node becomes a finished command with an id, goes to the leader,
// and is held and sent again across elections; the id lets it take effect at most
// once. A read is answered from the node's own state, without asking anybody,
// while the node has a lease (see package lease and ReadOptions).
//
// An error of storage is never an answer. The node marks itself unhealthy and
// ends the process; the replicated log decides what happened.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"meridian/cluster/transport"
	"meridian/crypto"
	"meridian/store"
)

// Node is one member of a region.
type Node struct {
	cfg     Config
	log     *slog.Logger
	calmLog *slog.Logger // for lines that repeat
	started time.Time
	metrics *metrics

	watch     *watchdog
	space     *space
	raftDB    *raftboltdb.BoltStore
	raftStore *raftStore
	identity  *identity
	store     *store.Store
	machine   *machine
	snapshots *snapshots
	transport *transport.Transport
	raftNet   *raft.NetworkTransport
	raft      *raft.Raft
	running   atomic.Bool // raft may be used by calls from outside

	reigns      *reigns
	open        atomic.Pointer[openTerm]
	stamps      *stamps
	futures     futures
	gatherer    gatherer
	rooms       rooms
	waiting     atomic.Int64 // writes under way at this leader
	freshness   Freshness
	leases      *leases
	leaderReads *readIndex // shared by this node's reads and those that others ask for

	ciphers   *ciphers
	keyring   atomic.Pointer[crypto.Keyring]
	dataKeys  transportKeys // under which data keys come in
	sealError atomic.Pointer[string]
	regionSet chan struct{} // signalled when the region may have appeared or changed
	unsealed  chan struct{} // signalled when the keyring was opened

	seeking   atomic.Bool   // waits for another node's state
	giving    atomic.Bool   // gives its state to another node
	comparing chan struct{} // signalled when a comparison of states is due

	phase    atomic.Pointer[string] // of the start, "" once it is over
	fault    atomic.Pointer[error]
	stopping atomic.Bool

	ctx    context.Context
	cancel context.CancelFunc
	spawns sync.Mutex // guards wg.Add against Wait
	closed bool
	wg     sync.WaitGroup
	down   sync.Once
}

// spawn runs f in a goroutine that the node waits for when it stops. It reports
// false, and runs nothing, once the node is stopping.
func (n *Node) spawn(f func()) bool {
	n.spawns.Lock()
	defer n.spawns.Unlock()
	if n.closed {
		return false
	}
	n.wg.Go(f)
	return true
}

// stopped returns why the node takes no work, nil while it does.
func (n *Node) stopped() error {
	if fault := n.fault.Load(); fault != nil {
		return fmt.Errorf("%w: %w", ErrStopped, *fault)
	}
	if n.stopping.Load() {
		return ErrStopped
	}
	return nil
}

// fail ends the process after a fault of storage. The first fault counts.
func (n *Node) fail(reason error) {
	if !n.fault.CompareAndSwap(nil, &reason) {
		return
	}
	n.log.Error("the node stops", "error", reason)
	n.withdraw()
	if mark := markFor(reason); mark != "" {
		if err := n.note(mark); err != nil {
			n.log.Error("what is wrong with the state could not be noted", "error", err)
		}
	}
	n.cfg.Exit(reason)
}

// note makes a mark, but does not wait for a disk that hangs: the watchdog's own
// fault would come too late for a node that has one already.
func (n *Node) note(mark string) error {
	done := make(chan error, 1)
	go func() { done <- markFile(n.cfg.DataDir, mark) }()
	select {
	case err := <-done:
		return err
	case <-time.After(n.cfg.Disk.StallLimit):
		return fmt.Errorf("%w: %s is not made after %v", ErrDisk, mark, n.cfg.Disk.StallLimit)
	}
}

// markFor is what the next start must know about a fault of the state.
func markFor(reason error) string {
	switch {
	case errors.Is(reason, ErrDiffers):
		return differsMark
	case errors.Is(reason, store.ErrDamaged):
		return badMark
	case errors.Is(reason, errPanic), errors.Is(reason, errApply) && !errors.Is(reason, store.ErrUnknownCommand):
		return suspectMark
	}
	return ""
}

// withdrawLimit bounds how long a node that stops tries to tell the leader.
const withdrawLimit = 300 * time.Millisecond

// withdraw gives up the lease of a node with a fault: it answers nothing from
// now on, and no write waits for it.
func (n *Node) withdraw() {
	if !n.running.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), withdrawLimit)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.leases.leave(ctx)
	}()
	select {
	case <-done:
	case <-ctx.Done(): // a call that panicked may hold the lease's lock for ever
	}
}
