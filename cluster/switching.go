package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"meridian/cluster/lease"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// switchTo has a version used that every node has.
func (n *Node) switchTo(t *openTerm, place crypto.Binding, wrapped []byte) error {
	if err := n.SelfCheck(place, wrapped); err != nil {
		return fmt.Errorf("version %s stays out of use: %w", place.VersionID, err)
	}
	command := SwitchPrimary(place)
	command.Origin = n.ownOrigin()
	result, err := n.Propose(t.ctx, command)
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		n.log.Info("key rotated", "key", place.KeyID.String(), "version", place.VersionID.String())
	case storepb.Code_PRIMARY_CHANGED, storepb.Code_KEY_NOT_FOUND:
		// Somebody was faster.
	default:
		return errors.New(result.Code.String())
	}
	return nil
}

// switchWatch finishes rotations that whoever began them has left behind. A
// version that has waited for as long as a write is held waits in vain.
type switchWatch struct {
	node *Node
	term *openTerm
	seen map[crypto.VersionID]*waitingVersion
}

// waitingVersion is a version that waits to become primary.
type waitingVersion struct {
	key     *store.Key
	version *store.Version
	since   lease.Instant // when the leader first saw it wait
	bad     bool          // it fails its check
}

// switchBatch bounds the versions in waiting that one look takes on: many more
// than there can be, so that those that fail their check do not hide others.
const switchBatch = 4096

// finish looks once. The time of day does not matter to it: a switch that comes
// early does no harm.
func (w *switchWatch) finish() error {
	n := w.node
	if n.keyring.Load() == nil {
		return nil
	}
	waiting, index, err := n.waitingVersions()
	if err != nil {
		return err
	}
	n.metrics.versionsWaiting.Set(float64(len(waiting)))
	left := w.left(waiting)
	if len(left) == 0 {
		return nil
	}
	if err := n.released(w.term, index); err != nil {
		return err
	}
	var errs []error
	for _, v := range left {
		if err := w.finishOne(v); err != nil {
			errs = append(errs, fmt.Errorf("finishing the rotation of key %s: %w", v.key.ID, err))
		}
		if w.term.ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// left notes what waits, and returns what has waited for too long.
func (w *switchWatch) left(waiting []*waitingVersion) (left []*waitingVersion) {
	n := w.node
	seen := make(map[crypto.VersionID]*waitingVersion, len(waiting))
	for _, v := range waiting {
		v.since = n.cfg.BootTime()
		if before := w.seen[v.version.ID]; before != nil {
			v.since, v.bad = before.since, before.bad
		}
		seen[v.version.ID] = v
		if n.cfg.BootTime()-v.since >= n.cfg.Timing.Hold {
			left = append(left, v)
		}
	}
	w.seen = seen
	return left
}

// finishOne has a version used, or replaced if it does not work: nothing was
// sealed under it yet. One of a key that is not enabled waits until the key is.
func (w *switchWatch) finishOne(v *waitingVersion) error {
	n := w.node
	place := crypto.MaterialOf(n.cfg.Region, v.key.ID, v.version.ID, v.version.Algorithm)
	err := n.switchTo(w.term, place, v.version.Wrapped)
	if !errors.Is(err, crypto.ErrSelfCheck) && !errors.Is(err, crypto.ErrUnwrap) {
		return err
	}
	if !v.bad {
		v.bad = true
		n.metrics.badVersions.Inc()
		n.log.Error("a key version does not work: it stays out of use, and another is made in its place",
			"key", v.key.ID.String(), "version", v.version.ID.String(), "error", err)
	}
	if v.key.State != store.Enabled {
		return nil
	}
	return n.rotate(w.term, v.key, v.version.ID)
}

// waitingVersions returns the versions that wait to become primary, and the index
// of the state that shows them.
func (n *Node) waitingVersions() (waiting []*waitingVersion, index uint64, err error) {
	v, err := n.store.View()
	if err != nil {
		return nil, 0, err
	}
	defer v.Close()
	ids, err := v.DueSwitches(time.UnixMilli(math.MaxInt64), switchBatch)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		k, err := v.Key(id)
		if err != nil {
			return nil, 0, err
		}
		version, err := v.Version(id, k.NextVersion)
		if err != nil {
			return nil, 0, err
		}
		waiting = append(waiting, &waitingVersion{key: k, version: version})
	}
	return waiting, v.Index(), nil
}

// released waits until no node can answer from before an index, which this node
// has applied.
func (n *Node) released(t *openTerm, index uint64) error {
	done := make(chan error, 1)
	n.leases.layer.Await(t.number, index, func(err error) { done <- err })
	n.leases.tick()
	select {
	case err := <-done:
		return err
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}
