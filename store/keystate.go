package store

import (
	"time"

	"meridian/store/storepb"
)

// StateAt returns the state of the key at a time: imported material that has
// expired by then is not waited for until it is taken out.
func (k *Key) StateAt(now time.Time) KeyState {
	if k.State != PendingDeletion && !k.MaterialExpires.IsZero() && !now.Before(k.MaterialExpires) {
		return PendingImport
	}
	return k.State
}

// stateNow is StateAt for a command, by its stamp.
func (a *applier) stateNow(k *storepb.KeyRecord) storepb.KeyState {
	shown := (&Key{State: KeyState(k.State), MaterialExpires: timeOf(k.MaterialExpiresMs)}).StateAt(time.UnixMilli(a.stamp))
	return storepb.KeyState(shown)
}
