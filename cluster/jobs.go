package cluster

import (
	"errors"
	"fmt"
	"time"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

const (
	// jobBatch bounds what one look takes on.
	jobBatch = 64
	// clockTolerance: no key is destroyed unless a quorum of the voters has a
	// wall clock this close to the leader's.
	clockTolerance = 5 * time.Minute
)

// runLeaderJobs makes the region if need be, then looks for what is due, for as
// long as the term is open.
func (n *Node) runLeaderJobs(t *openTerm) {
	retry := backoff{least: 100 * time.Millisecond, most: 10 * time.Second}
	for {
		err := n.makeRegion(t.ctx)
		if err == nil {
			break
		}
		if t.ctx.Err() != nil {
			return
		}
		n.log.Error("the region could not be made", "error", err)
		if !retry.wait(t.ctx) {
			return
		}
	}
	ticker := time.NewTicker(n.cfg.Timing.Jobs)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-t.ctx.Done():
			return
		}
		if err := errors.Join(n.rotateDue(t), n.destroyDue(t)); err != nil && t.ctx.Err() == nil {
			n.log.Warn("work that is due was not finished", "error", err)
		}
	}
}

// rotateDue gives every key whose rotation is due a new primary version.
func (n *Node) rotateDue(t *openTerm) error {
	if n.keyring.Load() == nil {
		return nil
	}
	due, err := n.dueRotations()
	if err != nil {
		return err
	}
	for _, k := range due {
		if err := n.rotate(t, k); err != nil {
			return fmt.Errorf("rotating key %s: %w", k.ID, err)
		}
	}
	return nil
}

func (n *Node) dueRotations() ([]*store.Key, error) {
	v, err := n.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	ids, err := v.DueRotations(n.cfg.Now(), jobBatch)
	if err != nil {
		return nil, err
	}
	var due []*store.Key
	for _, id := range ids {
		k, err := v.Key(id)
		if err != nil {
			return nil, err
		}
		due = append(due, k)
	}
	return due, nil
}

func (n *Node) rotate(t *openTerm, k *store.Key) error {
	version := crypto.NewVersionID()
	material := crypto.NewMaterial()
	defer material.Wipe()
	wrapped, err := n.Wrap(crypto.MaterialOf(n.cfg.Region, k.ID, version, crypto.AlgorithmXAES256GCM), material)
	if err != nil {
		return err
	}
	result, err := n.Propose(t.ctx, &storepb.Command{
		Origin: &storepb.Origin{Principal: "meridian"},
		Body: &storepb.Command_RotateKey{RotateKey: &storepb.RotateKey{
			KeyId: k.ID[:], VersionId: version[:], Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: wrapped, ExpectedPrimary: k.PrimaryVersion[:],
		}},
	})
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		n.log.Info("key rotated", "key", k.ID.String(), "version", version.String())
	case storepb.Code_PRIMARY_CHANGED, storepb.Code_KEY_STATE, storepb.Code_KEY_NOT_FOUND:
		// Somebody was faster.
	default:
		return errors.New(result.Code.String())
	}
	return nil
}

// destroyDue destroys keys whose waiting time is over. A clock that jumped must
// not destroy anything: a quorum has to agree on the time.
func (n *Node) destroyDue(t *openTerm) error {
	ids, err := n.dueDeletions()
	if err != nil || len(ids) == 0 {
		return err
	}
	if _, _, err := n.leaderIndex(t.ctx); err != nil {
		return err
	}
	if !t.confirm.clocksAgree(clockTolerance) {
		n.metrics.clockAlarm(true)
		return errors.New("keys are due for destruction, but no quorum of the voters has a clock close to the leader's")
	}
	n.metrics.clockAlarm(false)
	c := &storepb.DestroyKeys{}
	for _, id := range ids {
		c.KeyIds = append(c.KeyIds, id[:])
	}
	result, err := n.Propose(t.ctx, &storepb.Command{
		Origin: &storepb.Origin{Principal: "meridian"},
		Body:   &storepb.Command_DestroyKeys{DestroyKeys: c},
	})
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		n.log.Info("keys destroyed", "keys", len(result.Destroyed))
	case storepb.Code_NOT_DUE, storepb.Code_KEY_NOT_FOUND:
	default:
		return fmt.Errorf("destroying keys: %s", result.Code)
	}
	return nil
}

func (n *Node) dueDeletions() ([]crypto.KeyID, error) {
	v, err := n.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return v.DueDeletions(n.cfg.Now(), jobBatch)
}
