package store

import (
	"encoding/hex"
	"testing"

	"meridian/store/storepb"
)

// A history has the same state hash in every build: nodes of a region compare
// theirs, also while they are being upgraded. Should this hash change, records
// have changed, and with them the feature level has to.
func TestStateHashIsFixed(t *testing.T) {
	r := newRegion(t)
	r.ok(&storepb.RegisterNode{Id: "n1", Incarnation: []byte("incarnation 0001")})
	c := createKey(1)
	c.Description, c.Policy, c.RotationIntervalMs = "orders", "{}", 7*dayMs
	c.Tags = []*storepb.Tag{{Key: "team", Value: "blue"}}
	r.code(storepb.Code_OK, r.withNonce(c, "x", 15))
	r.ok(importKey(2))
	r.ok(createKey(3))
	r.stamp += minuteMs
	r.ok(rotateKey(1, 1, 100))
	r.ok(switchTo(1, 100))
	r.ok(rotateKey(1, 100, 101))
	r.ok(&storepb.SetDeletionProtection{KeyId: idOf(1), Enabled: true, Description: "in use"})
	r.ok(&storepb.UpdateRotationPolicy{KeyId: idOf(1), IntervalMs: 30 * dayMs})
	r.ok(&storepb.SetKeyPolicy{KeyId: idOf(3), Policy: "{}"})
	r.ok(tagging([]int{1, 3}, "env=test", "team=red"))
	r.ok(untagging([]int{3}, "env"))
	r.imported(4, 1)
	r.reimport(4, 2, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = r.stamp + dayMs })
	r.imported(5, 3)
	r.ok(createToken(4, 4))
	r.ok(&storepb.CreateAlias{Name: "alias/a", KeyId: idOf(1)})
	r.ok(&storepb.UpdateAlias{Name: "alias/a", KeyId: idOf(2)})
	r.ok(&storepb.DisableKey{KeyId: idOf(1)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(2), Days: 30})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	r.refused(storepb.Code_KEY_NOT_FOUND, &storepb.EnableKey{KeyId: idOf(9)})
	r.stamp += 7 * dayMs
	r.ok(&storepb.DestroyKeys{KeyIds: [][]byte{idOf(3)}})
	r.ok(&storepb.ExpireKeyMaterial{KeyIds: [][]byte{idOf(4)}})
	r.ok(&storepb.DeleteKeyMaterial{KeyId: idOf(5)})
	const want = "2ed53d7114e2b294feb8dcf93bc256461ca09541a6fe959d37f6bbe83a2ae458"
	if hash := r.hash(); hex.EncodeToString(hash[:]) != want {
		t.Errorf("state hash %x; want %s", hash, want)
	}
	r.check()
}
