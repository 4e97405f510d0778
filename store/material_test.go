package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"meridian/store/storepb"
)

func TestDeleteKeyMaterial(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		r.imported(n, n)
		r.reimport(n, n, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = r.stamp + 30*dayMs })
	}
	r.ok(importKey(4))
	r.ok(createKey(5))
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	deletion := r.key(id(3)).DeleteAt
	for n, state := range map[int]KeyState{1: PendingImport, 2: PendingImport, 3: PendingDeletion, 4: PendingImport} {
		for range 2 { // the second time there is nothing to do
			result := r.ok(&storepb.DeleteKeyMaterial{KeyId: idOf(n)})
			k, ok := KeyOf(result)
			if !ok || k.State != state || !k.PrimaryVersion.IsZero() || k.Versions != 0 || !k.MaterialExpires.IsZero() {
				t.Errorf("key %d: %+v", n, k)
			}
		}
	}
	if k := r.key(id(3)); !k.DeleteAt.Equal(deletion) || k.StateChangedBy == "" {
		t.Errorf("pending deletion: %+v", k)
	}
	r.refused(storepb.Code_UNSUPPORTED_ORIGIN, &storepb.DeleteKeyMaterial{KeyId: idOf(5)})
	r.refused(storepb.Code_KEY_NOT_FOUND, &storepb.DeleteKeyMaterial{KeyId: idOf(9)})
	r.read(func(v *View) {
		if ids, err := v.DueExpiries(time.UnixMilli(maxStampMs), 10); err != nil || len(ids) != 0 {
			t.Errorf("due: %v, %v", ids, err)
		}
	})
	r.check()
	r.ok(&storepb.CancelKeyDeletion{KeyId: idOf(3)})
	if k := r.key(id(3)); k.State != PendingImport {
		t.Errorf("deletion cancelled without material: %s", k.State)
	}
	for n := 1; n <= 3; n++ {
		r.reimport(n, n, nil)
		if k := r.key(id(n)); k.State != Enabled {
			t.Errorf("key %d is %s", n, k.State)
		}
	}
	r.check()
}

func TestExpireKeyMaterial(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 5; n++ {
		r.imported(n, n)
		if n < 5 { // that of 5 stays for ever
			r.reimport(n, n, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = baseStamp + int64(n)*dayMs })
		}
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 30})
	due := func(atMs int64, limit int) string {
		t.Helper()
		var out []int
		r.read(func(v *View) {
			ids, err := v.DueExpiries(time.UnixMilli(baseStamp+atMs), limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range ids {
				out = append(out, int(k[15]))
			}
		})
		return fmt.Sprint(out)
	}
	for _, c := range []struct {
		at    int64
		limit int
		want  string
	}{{dayMs - 1, 9, "[]"}, {dayMs, 9, "[1]"}, {3 * dayMs, 9, "[1 2 3]"}, {3 * dayMs, 2, "[1 2]"}, {3 * dayMs, 0, "[]"}, {999 * dayMs, 9, "[1 2 3 4]"}} {
		if got := due(c.at, c.limit); got != c.want {
			t.Errorf("at %d ms, at most %d: %s; want %s", c.at, c.limit, got, c.want)
		}
	}
	all := &storepb.ExpireKeyMaterial{KeyIds: [][]byte{idOf(1), idOf(2), idOf(3), idOf(4), idOf(5), idOf(9)}}
	r.stamp = baseStamp + dayMs - 1
	if result := r.refused(storepb.Code_NOT_DUE, all); len(result.NotDue) != 5 || len(result.Expired) != 0 {
		t.Errorf("not due %x, expired %x", result.NotDue, result.Expired)
	}
	r.stamp = baseStamp + 3*dayMs
	result := r.ok(all)
	if fmt.Sprintf("%x", result.Expired) != fmt.Sprintf("%x", all.KeyIds[:3]) || fmt.Sprintf("%x", result.NotDue) != fmt.Sprintf("%x", all.KeyIds[3:5]) {
		t.Errorf("expired %x, not due %x", result.Expired, result.NotDue)
	}
	for n, state := range map[int]KeyState{1: PendingImport, 2: PendingImport, 3: PendingDeletion, 4: Enabled, 5: Enabled} {
		if k := r.key(id(n)); k.State != state || (n <= 3) != k.PrimaryVersion.IsZero() {
			t.Errorf("key %d: %+v", n, k)
		}
	}
	r.read(func(v *View) {
		if _, err := v.Version(id(1), version(1)); !errors.Is(err, ErrVersionNotFound) {
			t.Errorf("expired material: %v", err)
		}
	})
	if result := r.refused(storepb.Code_NOT_DUE, all); len(result.NotDue) != 5 {
		t.Errorf("again: not due %x", result.NotDue)
	}
	r.check()
	r.reimport(1, 1, nil)
	r.check()
}

// Material that has expired counts for nothing, also before it is taken out.
func TestExpiredMaterialDoesNotCount(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		r.imported(n, n)
		r.reimport(n, n, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = baseStamp + dayMs })
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	r.stamp = baseStamp + dayMs - 1
	r.ok(&storepb.EnableKey{KeyId: idOf(1)})
	r.stamp++
	for n, state := range map[int]storepb.KeyState{1: storepb.KeyState_PENDING_IMPORT, 2: storepb.KeyState_PENDING_IMPORT, 3: storepb.KeyState_PENDING_DELETION} {
		for _, body := range []any{
			&storepb.EnableKey{KeyId: idOf(n)}, &storepb.DisableKey{KeyId: idOf(n)}, rotateKey(n, n, 100),
			&storepb.UpdateRotationPolicy{KeyId: idOf(n), IntervalMs: 7 * dayMs},
		} {
			if result := r.refused(storepb.Code_KEY_STATE, body); result.State != state {
				t.Errorf("key %d, %T: refused for %s", n, body, result.State)
			}
		}
		if k := r.key(id(n)); k.StateAt(time.UnixMilli(r.stamp)) != KeyState(state) || k.StateAt(time.UnixMilli(r.stamp-1)) != k.State {
			t.Errorf("%+v", k)
		}
	}
	for n := 1; n <= 2; n++ { // as if it had been taken out
		r.reimport(n, n, nil)
		if k := r.key(id(n)); k.State != Enabled || !k.MaterialExpires.IsZero() {
			t.Errorf("%+v", k)
		}
	}
	r.check()
}

// A key that is destroyed takes a version in waiting, an expiry and what was
// known of an import with it. Its tombstones are those of all that it ever had.
func TestDestroyedKeyLeavesNothing(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(rotateKey(1, 1, 100)) // and no switch
	for n := 2; n <= 3; n++ {
		r.imported(n, n)
		r.reimport(n, n, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = baseStamp + 365*dayMs })
	}
	r.ok(&storepb.DeleteKeyMaterial{KeyId: idOf(3)})
	var all [][]byte
	for n := 1; n <= 3; n++ {
		r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(n), Days: 7})
		all = append(all, idOf(n))
	}
	r.stamp += 7 * dayMs
	if result := r.ok(&storepb.DestroyKeys{KeyIds: all}); len(result.Destroyed) != 3 {
		t.Fatalf("destroyed %x", result.Destroyed)
	}
	r.read(func(v *View) {
		for _, name := range []versionName{{id(1), version(1)}, {id(1), version(100)}, {id(2), version(2)}, {id(3), version(3)}} {
			if there, err := v.Tombstone(name.key, name.version); err != nil || !there {
				t.Errorf("tombstone of %v: %v, %v", name, there, err)
			}
		}
		forEver := time.UnixMilli(maxStampMs)
		switches, err := v.DueSwitches(forEver, 9)
		expiries, err2 := v.DueExpiries(forEver, 9)
		if err != nil || err2 != nil || len(switches)+len(expiries) != 0 {
			t.Errorf("due: %v, %v; %v, %v", switches, err, expiries, err2)
		}
		if v.state.Versions != 0 || v.state.Keys != 0 {
			t.Errorf("%d keys, %d versions", v.state.Keys, v.state.Versions)
		}
	})
	r.check()
}
