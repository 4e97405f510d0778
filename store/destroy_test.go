package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"meridian/crypto"
	"meridian/store/storepb"
)

func TestDestroyKeys(t *testing.T) {
	r := newRegion(t)
	c := createKey(1)
	c.Tags = []*storepb.Tag{{Key: "team", Value: "blue"}}
	c.Policy = "{}"
	r.ok(c)
	r.ok(rotateKey(1, 1, 100))
	r.ok(createKey(2))
	r.ok(importKey(3))
	for n := range 3 {
		r.ok(&storepb.CreateAlias{Name: fmt.Sprint("alias/", n), KeyId: idOf(1)})
	}
	r.ok(&storepb.CreateAlias{Name: "alias/two", KeyId: idOf(2)})
	for n := 1; n <= 3; n++ {
		r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(n), Days: uint32(7 * n)})
	}
	all := &storepb.DestroyKeys{KeyIds: [][]byte{idOf(1), idOf(2), idOf(3)}}

	r.stamp += 7*dayMs - 1 // one millisecond before the first is due
	before := r.hash()
	result := r.refused(storepb.Code_NOT_DUE, all)
	if len(result.Destroyed) != 0 || len(result.NotDue) != 3 {
		t.Fatalf("destroyed %d, not due %d", len(result.Destroyed), len(result.NotDue))
	}
	if r.key(id(1)).State != PendingDeletion || before == [32]byte{} {
		t.Fatal("a key that was not due has changed")
	}

	r.stamp++
	r.read(func(v *View) {
		if ids, err := v.DueDeletions(time.UnixMilli(r.stamp), 10); err != nil || len(ids) != 1 || ids[0] != id(1) {
			t.Errorf("due: %v, %v", ids, err)
		}
	})
	result = r.ok(all)
	if len(result.Destroyed) != 1 || string(result.Destroyed[0]) != string(idOf(1)) || len(result.NotDue) != 2 {
		t.Fatalf("destroyed %x, not due %x", result.Destroyed, result.NotDue)
	}
	r.read(func(v *View) {
		if _, err := v.Key(id(1)); !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("key: %v", err)
		}
		for _, n := range []int{1, 100} {
			if _, err := v.Version(id(1), version(n)); !errors.Is(err, ErrVersionNotFound) {
				t.Errorf("version %d: %v", n, err)
			}
			if there, err := v.Tombstone(id(1), version(n)); err != nil || !there {
				t.Errorf("tombstone of version %d: %v, %v", n, there, err)
			}
		}
		if list, total, err := v.Aliases(0, 10); err != nil || total != 1 || list[0].Name != "alias/two" {
			t.Errorf("aliases: %v of %d, %v", list, total, err)
		}
		if there, err := v.Tombstone(id(2), version(2)); err != nil || there {
			t.Errorf("tombstone of a living key: %v, %v", there, err)
		}
	})
	r.refused(storepb.Code_KEY_NOT_FOUND, &storepb.CancelKeyDeletion{KeyId: idOf(1)})
	r.refused(storepb.Code_KEY_EXISTS, createKey(1)) // an id is never used again

	r.stamp += 14 * dayMs
	if result := r.ok(all); len(result.Destroyed) != 2 || len(result.NotDue) != 0 {
		t.Errorf("destroyed %d, not due %d", len(result.Destroyed), len(result.NotDue))
	}
	r.read(func(v *View) {
		if there, err := v.Tombstone(id(3), crypto.VersionID{}); err != nil || !there {
			t.Errorf("tombstone of a key without material: %v, %v", there, err)
		}
		if ids, err := v.DueDeletions(time.UnixMilli(r.stamp), 10); err != nil || len(ids) != 0 {
			t.Errorf("due: %v, %v", ids, err)
		}
		if page, total, err := v.Keys(0, 10, nil); err != nil || total != 0 || len(page) != 0 {
			t.Errorf("%d keys of %d, %v", len(page), total, err)
		}
	})
	if result := r.ok(all); len(result.Destroyed) != 0 { // again: nothing to do
		t.Errorf("destroyed %x twice", result.Destroyed)
	}
	r.refused(storepb.Code_KEY_EXISTS, importKey(3))
	r.check()
	r.reopen()
	r.check()
}

// A key whose deletion was cancelled, or that is in use, is never destroyed.
func TestDestroyKeysSparesTheLiving(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(createKey(2))
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(2), Days: 7})
	r.ok(&storepb.CancelKeyDeletion{KeyId: idOf(2)})
	r.stamp += 365 * dayMs
	result := r.refused(storepb.Code_NOT_DUE, &storepb.DestroyKeys{KeyIds: [][]byte{idOf(1), idOf(2), idOf(9)}})
	if len(result.NotDue) != 2 {
		t.Errorf("not due: %x", result.NotDue)
	}
	r.key(id(1))
	r.key(id(2))
	r.check()
}

// Time in the state never goes back: an earlier stamp counts as the last one.
func TestStampNeverGoesBack(t *testing.T) {
	r := newRegion(t)
	r.stamp += 1000
	r.ok(createKey(1))
	r.stamp -= 1000
	r.ok(createKey(2))
	if got := r.key(id(2)).Created; !got.Equal(time.UnixMilli(baseStamp + 1000)) {
		t.Errorf("created at %s", got)
	}
	r.stamp = maxStampMs + 1
	r.refused(storepb.Code_INVALID, createKey(3))
	r.read(func(v *View) {
		if got := v.LastStamp(); !got.Equal(time.UnixMilli(baseStamp + 1000)) {
			t.Errorf("last stamp %s", got)
		}
	})
}
