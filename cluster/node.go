// Package cluster runs one region's node: it replicates the region's state with
// Raft, applies it to the store, and answers for it.
package cluster

import (
	"context"
	"errors"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Node is one member of a region.
type Node struct {
	cfg Config
}

var errSkeleton = errors.New("cluster: not there yet")

// Open starts a node on its data folder and returns once it takes part in the
// region, which may have no leader yet. It waits for the other voters only when
// the folder is empty: a region is formed when all its voters are there.
func Open(ctx context.Context, cfg Config) (*Node, error) { return nil, errSkeleton }

// Read calls f with a view of the state that shows every write which was
// acknowledged, on any node, before the call. Without a leader the call is held
// for up to Timing.Hold, then fails with ErrUnavailable. f may run twice and must
// not have effects; its error is returned as it is. The view is f's only while it
// runs.
func (n *Node) Read(ctx context.Context, f func(v *store.View) error) error { return errSkeleton }

// Propose makes a write and returns its result, which may be a refusal, once it is
// applied. It fills in the command's id, when it is empty, and its origin's node.
// While there is no leader the write is held, for up to Timing.Hold, and the same
// id is sent again, so that it takes effect at most once. Errors: ErrUnavailable,
// ErrThrottled, ErrDiskFull and ErrRefused say that it has not been started;
// ErrOutcomeUnknown says that nobody can tell yet.
func (n *Node) Propose(ctx context.Context, c *storepb.Command) (*storepb.Result, error) {
	return nil, errSkeleton
}

// Cipher returns a version of k, which was read from v, ready to use. Errors:
// ErrSealed, store.ErrVersionNotFound.
func (n *Node) Cipher(v *store.View, k *store.Key, version crypto.VersionID) (*crypto.XAES, error) {
	return nil, errSkeleton
}

// Wrap seals key material under the region's current KEK. Error: ErrSealed.
func (n *Node) Wrap(b crypto.Binding, material []byte) ([]byte, error) { return nil, errSkeleton }

// Ready returns nil if the node can decrypt now: a fresh read succeeds and the
// keyring opens the region's canary.
func (n *Node) Ready(ctx context.Context) error { return errSkeleton }

// Status returns the node's state.
func (n *Node) Status() Status { return Status{} }

// Members asks every member of the region for its state.
func (n *Node) Members(ctx context.Context) ([]MemberStatus, error) { return nil, errSkeleton }

// Shutdown stops the node in order: not ready, leadership handed over, Raft
// stopped, files closed.
func (n *Node) Shutdown(ctx context.Context) error { return errSkeleton }
