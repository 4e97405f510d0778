// Package cluster runs one region's node: it replicates the region's state with
// Raft, applies it to the store, and answers for it.
//
// A write on any node becomes a finished command with an id, goes to the leader,
// and is held and sent again across elections; the id lets it take effect at most
// once. A read is answered from the node's own state, once the leader has named
// an index that covers every acknowledged write (see Freshness).
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
	stamps      stamps
	futures     futures
	waiting     atomic.Int64 // writes under way at this leader
	freshness   Freshness
	leaderReads *readIndex // shared by this node's reads and those that others ask for

	ciphers   *ciphers
	keyring   atomic.Pointer[crypto.Keyring]
	sealError atomic.Pointer[string]
	regionSet chan struct{} // signalled when the region may have appeared or changed

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
	if errors.Is(reason, store.ErrDamaged) {
		if err := markFile(n.cfg.DataDir, badMark); err != nil {
			n.log.Error("the damaged state could not be marked", "error", err)
		}
	}
	n.cfg.Exit(reason)
}

// Healthy returns the fault that stops the node, nil when there is none.
func (n *Node) Healthy() error {
	if fault := n.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Read calls f with a view of the state that shows every write which was
// acknowledged, on any node, before the call. Without a leader the call is held
// for up to Timing.Hold, then fails with ErrUnavailable. f may run twice and must
// not have effects; its error is returned as it is. The view is f's only while it
// runs.
func (n *Node) Read(ctx context.Context, f func(v *store.View) error) error {
	for {
		if n.fault.Load() != nil || n.stopping.Load() {
			return n.stopped()
		}
		ticket, err := n.freshness.Admit(ctx)
		if err != nil {
			return err
		}
		view, err := n.store.View()
		if err != nil {
			return n.readFailed(err)
		}
		index := view.Index()
		if err = look(view, f); errors.Is(err, store.ErrDamaged) {
			return n.readFailed(err)
		}
		if n.freshness.Check(ticket, index) == nil {
			return err
		}
	}
}

// look gives the view back also when f panics: an open view holds its pages, and
// a stop, for ever.
func look(view *store.View, f func(v *store.View) error) error {
	defer view.Close()
	return f(view)
}

// readFailed sorts an error of the store itself: damage ends the process.
func (n *Node) readFailed(err error) error {
	if errors.Is(err, store.ErrClosed) {
		return ErrStopped
	}
	n.fail(fmt.Errorf("reading the state: %w", err))
	return fmt.Errorf("%w: %w", ErrStopped, err)
}

// Cipher returns a version of k, which was read from v, ready to use. Errors:
// ErrSealed, store.ErrVersionNotFound.
func (n *Node) Cipher(v *store.View, k *store.Key, version crypto.VersionID) (*crypto.XAES, error) {
	ring := n.keyring.Load()
	if ring == nil {
		return nil, ErrSealed
	}
	return n.ciphers.get(ring, v, k.ID, version)
}

// Wrap seals key material under the region's current KEK. Error: ErrSealed.
func (n *Node) Wrap(b crypto.Binding, material []byte) ([]byte, error) {
	ring := n.keyring.Load()
	if ring == nil {
		return nil, ErrSealed
	}
	wrapped, err := ring.Wrap(b, material)
	if errors.Is(err, crypto.ErrKeyringClosed) {
		return nil, ErrSealed
	}
	return wrapped, err
}

// Ready returns nil if the node can decrypt now: a fresh read succeeds and the
// keyring opens the region's canary.
func (n *Node) Ready(ctx context.Context) error {
	return n.Read(ctx, func(v *store.View) error {
		region, ok := v.Region()
		if !ok {
			return errors.New("cluster: the region has not been made yet")
		}
		ring := n.keyring.Load()
		if ring == nil {
			return n.whySealed()
		}
		return checkCanary(ring, region)
	})
}
