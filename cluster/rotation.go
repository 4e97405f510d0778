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

// A rotation takes two commands, because applying takes time: a node that has
// applied a rotation would seal under the new version while another one, which has
// not, could not open it, and might answer all the same. So AddKeyVersion comes
// first; once it is acknowledged, every node that may answer has the version. Then
// the version is checked as it is stored, and SwitchPrimary has it used.

// rotateDue gives every key whose rotation is due a new primary version.
func (n *Node) rotateDue(t *openTerm, now time.Time) error {
	if n.keyring.Load() == nil {
		return nil
	}
	due, unserved, err := n.dueRotations(now)
	if err != nil {
		return err
	}
	var errs []error
	if unserved > 0 {
		errs = append(errs, fmt.Errorf("%d keys that are due are of a spec that this node does not serve in FIPS-only mode", unserved))
	}
	for _, k := range due {
		if err := n.rotate(t, k); err != nil {
			errs = append(errs, fmt.Errorf("rotating key %s: %w", k.ID, err))
		}
		if t.ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// dueRotations returns up to jobBatch keys. It goes past those that have a version
// in waiting already, and past the unserved ones that cannot be rotated here:
// however many they are, they keep no other key from its turn.
func (n *Node) dueRotations(now time.Time) (due []*store.Key, unserved int, err error) {
	v, err := n.store.View()
	if err != nil {
		return nil, 0, err
	}
	defer v.Close()
	ids, err := v.DueRotations(now, math.MaxInt)
	if err != nil {
		return nil, 0, err
	}
	for _, id := range ids {
		k, err := v.Key(id)
		switch {
		case err != nil:
			return nil, 0, err
		case !k.NextVersion.IsZero():
		case k.Algorithm().Available() != nil:
			unserved++
		default:
			due = append(due, k)
		}
		if len(due) == jobBatch {
			break
		}
	}
	return due, unserved, nil
}

// rotate gives a symmetric key a new primary version.
func (n *Node) rotate(t *openTerm, k *store.Key) error {
	algorithm := k.Algorithm()
	version := crypto.NewVersionID()
	place := crypto.MaterialOf(n.cfg.Region, k.ID, version, algorithm)
	material := crypto.NewMaterial(algorithm)
	wrapped, err := n.Wrap(place, material)
	material.Wipe()
	if err != nil {
		return err
	}
	result, err := n.Propose(t.ctx, &storepb.Command{
		Origin: n.ownOrigin(),
		Body: &storepb.Command_AddKeyVersion{AddKeyVersion: &storepb.AddKeyVersion{
			KeyId: k.ID[:], VersionId: version[:], Algorithm: uint32(algorithm), Wrapped: wrapped, ExpectedPrimary: k.PrimaryVersion[:],
		}},
	})
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		return n.switchTo(t, place, wrapped)
	case storepb.Code_PRIMARY_CHANGED, storepb.Code_KEY_STATE, storepb.Code_KEY_NOT_FOUND:
		return nil // somebody was faster
	}
	return errors.New(result.Code.String())
}

// switchTo has a version used that every node has.
func (n *Node) switchTo(t *openTerm, place crypto.Binding, wrapped []byte) error {
	if err := n.SelfCheck(place, wrapped); err != nil {
		return fmt.Errorf("version %s stays out of use: %w", place.VersionID, err)
	}
	result, err := n.Propose(t.ctx, &storepb.Command{
		Origin: n.ownOrigin(),
		Body: &storepb.Command_SwitchPrimary{SwitchPrimary: &storepb.SwitchPrimary{
			KeyId: place.KeyID[:], VersionId: place.VersionID[:],
		}},
	})
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
	node  *Node
	term  *openTerm
	since map[crypto.VersionID]lease.Instant // when the leader first saw it wait
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
	since := make(map[crypto.VersionID]lease.Instant, len(waiting))
	var left []*store.Version
	for _, version := range waiting {
		first, seen := w.since[version.ID]
		if !seen {
			first = n.cfg.BootTime()
		}
		since[version.ID] = first
		if n.cfg.BootTime()-first >= n.cfg.Timing.Hold {
			left = append(left, version)
		}
	}
	w.since = since
	if len(left) == 0 {
		return nil
	}
	if err := n.released(w.term, index); err != nil {
		return err
	}
	var errs []error
	for _, version := range left {
		place := crypto.MaterialOf(n.cfg.Region, version.KeyID, version.ID, version.Algorithm)
		if err := n.switchTo(w.term, place, version.Wrapped); err != nil {
			errs = append(errs, fmt.Errorf("finishing the rotation of key %s: %w", version.KeyID, err))
		}
		if w.term.ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// waitingVersions returns the versions that wait to become primary, and the index
// of the state that shows them.
func (n *Node) waitingVersions() (waiting []*store.Version, index uint64, err error) {
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
		waiting = append(waiting, version)
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
