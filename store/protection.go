package store

import "meridian/store/storepb"

// setDeletionProtection turns protection against ScheduleKeyDeletion on or off.
func (a *applier) setDeletionProtection(c *storepb.SetDeletionProtection) (*storepb.Result, error) {
	return a.changeKey(c.KeyId, func(k *storepb.KeyRecord) error {
		if k.State == storepb.KeyState_PENDING_DELETION {
			return refuseState(k.State)
		}
		k.DeletionProtection, k.DeletionProtectionDescription = c.Enabled, ""
		if c.Enabled {
			k.DeletionProtectionDescription = c.Description
		}
		return nil
	})
}
