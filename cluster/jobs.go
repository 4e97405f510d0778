package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"meridian/crypto"
	"meridian/store/storepb"
)

const (
	// jobBatch bounds what one look takes on.
	jobBatch = 64
	// clockTolerance: no key is destroyed or rotated, and no material expires, unless a quorum of the
	// voters has a wall clock this close to the leader's.
	clockTolerance = 5 * time.Minute
)

// runLeaderJobs makes the region if need be, then looks for what is due, for as
// long as the term is open.
func (n *Node) runLeaderJobs(t *openTerm) {
	defer n.metrics.notLeading()
	clocks := clockWatch{node: n, term: t}
	rotations := rotationWatch{node: n, term: t}
	switches := switchWatch{node: n, term: t}
	clocks.agreedTime()
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
	if err := n.ensureTransportKey(t); err != nil && t.ctx.Err() == nil {
		n.log.Warn("no transport key yet", "error", err)
	}
	ticker := time.NewTicker(n.cfg.Timing.Jobs)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-n.unsealed: // what needs the keyring, such as the first transport key, was put off
		case <-t.ctx.Done():
			return
		}
		n.handOverForRoom(t)
		now, agreed := clocks.agreedTime()
		if err := n.dueWork(t, &rotations, &switches, now, agreed); err != nil && t.ctx.Err() == nil {
			n.log.Warn("work that is due was not finished", "error", err)
		}
	}
}

// dueWork does what is due at a time that a quorum of the voters has just agreed
// on. A clock that jumped must not destroy anything, or have it expire.
func (n *Node) dueWork(t *openTerm, rotations *rotationWatch, switches *switchWatch, now time.Time, agreed bool) error {
	var errs []error
	if agreed {
		errs = append(errs, n.expireDue(t, now))
	}
	if n.space.Low() {
		// Rotations would be refused, and nothing is destroyed for good in a
		// region that is in trouble.
		return errors.Join(errs...)
	}
	errs = append(errs, n.ensureTransportKey(t), switches.finish())
	if agreed {
		errs = append(errs, rotations.rotateDue(now), n.destroyDue(t, now))
	}
	return errors.Join(errs...)
}

// clockWatch compares the leader's clock with the other voters' and raises an
// alarm when no quorum of them is close to it.
//
// Stamps are given all the same: a leader whose clock is wrong keeps stamping
// writes, ScheduleKeyDeletion among them, until somebody sees to the alarm.
type clockWatch struct {
	node    *Node
	term    *openTerm
	alarmed bool
}

// agreedTime returns the time if a quorum of the voters, asked now, agrees on it.
func (w *clockWatch) agreedTime() (time.Time, bool) {
	n, t := w.node, w.term
	ctx, cancel := context.WithTimeout(t.ctx, n.clockTimeout())
	defer cancel()
	// Without the monotonic clock, which hides a wall clock that is set.
	before := n.cfg.Now().Round(0)
	err := t.confirm.clocksAgree(ctx, t.ctx, clockTolerance)
	after := n.cfg.Now().Round(0)
	switch {
	case t.ctx.Err() != nil:
		return time.Time{}, false
	case err != nil:
		n.metrics.clockAlarm(true)
		if !w.alarmed {
			n.log.Error("no quorum of the voters has a clock close to the leader's: no key is rotated or destroyed and no material expires until one has", "limit", clockTolerance, "error", err)
		}
		w.alarmed = true
		return time.Time{}, false
	}
	n.metrics.clockAlarm(false)
	if w.alarmed {
		n.log.Info("a quorum of the voters has a clock close to the leader's again")
	}
	w.alarmed = false
	// The clock may have been set while the voters were asked: what was due on
	// one side of it only is left for the next look.
	agreed := before
	if after.Before(before) {
		agreed = after
	}
	n.stamps.follow(agreed)
	return agreed, true
}

// destroyDue destroys keys whose waiting time is over.
func (n *Node) destroyDue(t *openTerm, now time.Time) error {
	ids, err := n.dueDeletions(now)
	if err != nil || len(ids) == 0 {
		return err
	}
	c := &storepb.DestroyKeys{}
	for _, id := range ids {
		c.KeyIds = append(c.KeyIds, id[:])
	}
	result, err := n.Propose(t.ctx, &storepb.Command{
		Origin: n.ownOrigin(),
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

// expireDue takes imported material out where it has expired.
func (n *Node) expireDue(t *openTerm, now time.Time) error {
	ids, err := n.dueExpiries(now)
	if err != nil || len(ids) == 0 {
		return err
	}
	c := &storepb.ExpireKeyMaterial{}
	for _, id := range ids {
		c.KeyIds = append(c.KeyIds, id[:])
	}
	result, err := n.Propose(t.ctx, &storepb.Command{
		Origin: n.ownOrigin(),
		Body:   &storepb.Command_ExpireKeyMaterial{ExpireKeyMaterial: c},
	})
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		n.log.Info("imported key material expired", "keys", len(result.Expired))
	case storepb.Code_NOT_DUE: // it was imported again, or is gone
	default:
		return fmt.Errorf("expiring key material: %s", result.Code)
	}
	return nil
}

func (n *Node) dueExpiries(now time.Time) ([]crypto.KeyID, error) {
	v, err := n.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return v.DueExpiries(now, jobBatch)
}

func (n *Node) dueDeletions(now time.Time) ([]crypto.KeyID, error) {
	v, err := n.store.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return v.DueDeletions(now, jobBatch)
}
