package cluster

import (
	"errors"
	"fmt"
	"math"
	"time"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// rotationWatch gives keys new primary versions when they are due.
type rotationWatch struct {
	node *Node
	term *openTerm
	held bool // the region has no room for versions
}

// errVersionLimit says that the region has no room for another version.
var errVersionLimit = errors.New("the region has as many key versions as it may")

// rotateDue gives every key whose rotation is due a new primary version.
func (w *rotationWatch) rotateDue(now time.Time) error {
	n := w.node
	if n.keyring.Load() == nil {
		return nil
	}
	due, err := n.dueRotations(now)
	if err != nil {
		return err
	}
	var errs []error
	if due.unserved > 0 {
		errs = append(errs, fmt.Errorf("%d keys that are due are of a spec that this node does not serve in FIPS-only mode", due.unserved))
	}
	for _, k := range due.keys {
		err := n.rotate(w.term, k, crypto.VersionID{})
		if errors.Is(err, errVersionLimit) {
			due.held = true
			break
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rotating key %s: %w", k.ID, err))
		}
		if w.term.ctx.Err() != nil {
			break
		}
	}
	w.hold(due.held)
	return errors.Join(errs...)
}

// hold raises and ends the alarm over rotations for which there is no room.
func (w *rotationWatch) hold(on bool) {
	n := w.node
	n.metrics.rotationsHeld.Set(flag(on))
	switch {
	case on && !w.held:
		n.log.Error("keys that are due are not rotated: the region has as many key versions as limits.key_versions lets it have", "limit", n.cfg.KeyVersions)
	case !on && w.held:
		n.log.Info("there is room for key versions again: keys that are due are rotated")
	}
	w.held = on
}

// dueKeys are keys whose rotation is due.
type dueKeys struct {
	keys     []*store.Key
	unserved int  // others that cannot be rotated here
	held     bool // there are others for whose versions there is no room
}

// dueRotations returns up to jobBatch keys. It goes past those that have a version
// in waiting already, and past the unserved ones that cannot be rotated here:
// however many they are, they keep no other key from its turn.
func (n *Node) dueRotations(now time.Time) (due dueKeys, err error) {
	v, err := n.store.View()
	if err != nil {
		return due, err
	}
	defer v.Close()
	ids, err := v.DueRotations(now, math.MaxInt)
	if err != nil {
		return due, err
	}
	room := jobBatch
	if n.cfg.KeyVersions > 0 {
		room = max(0, n.cfg.KeyVersions-int(v.Totals().Versions))
	}
	for _, id := range ids {
		k, err := v.Key(id)
		switch {
		case err != nil:
			return due, err
		case !k.NextVersion.IsZero():
		case k.Algorithm().Available() != nil:
			due.unserved++
		case len(due.keys) == room:
			due.held = true
			return due, nil
		default:
			due.keys = append(due.keys, k)
		}
		if len(due.keys) == jobBatch {
			break
		}
	}
	return due, nil
}

// rotate gives a symmetric key a new primary version, in place of one that waits
// to be and does not work if there is one. Error: errVersionLimit.
func (n *Node) rotate(t *openTerm, k *store.Key, replaces crypto.VersionID) error {
	place := crypto.MaterialOf(n.cfg.Region, k.ID, crypto.NewVersionID(), k.Algorithm())
	wrapped, err := n.newMaterial(place)
	if err != nil {
		return err
	}
	command := AddVersion(k, NewVersion{Place: place, Wrapped: wrapped, Replaces: replaces, RegionLimit: n.cfg.KeyVersions})
	command.Origin = n.ownOrigin()
	result, err := n.Propose(t.ctx, command)
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		return n.switchTo(t, place, wrapped)
	case storepb.Code_PRIMARY_CHANGED, storepb.Code_KEY_STATE, storepb.Code_KEY_NOT_FOUND:
		return nil // somebody was faster
	case storepb.Code_LIMIT:
		return errVersionLimit
	}
	return errors.New(result.Code.String())
}

// newMaterial makes the material of a version of a symmetric key, and sees that it
// works before there is a version.
func (n *Node) newMaterial(place crypto.Binding) ([]byte, error) {
	material := crypto.NewMaterial(place.Algorithm)
	defer material.Wipe()
	wrapped, err := n.Wrap(place, material)
	if err != nil {
		return nil, err
	}
	return wrapped, n.SelfCheck(place, wrapped)
}
