package store

import (
	"fmt"
	"testing"
	"time"

	"meridian/crypto"
	"meridian/store/storepb"
)

// rotateKey adds a version, numbered to, to a key whose primary one is from.
func rotateKey(key, from, to int) *storepb.AddKeyVersion {
	return &storepb.AddKeyVersion{
		KeyId: idOf(key), VersionId: versionOf(to), Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: material(to),
		ExpectedPrimary: versionOf(from),
	}
}

// switchTo makes it the primary one.
func switchTo(key, to int) *storepb.SwitchPrimary {
	return &storepb.SwitchPrimary{KeyId: idOf(key), VersionId: versionOf(to)}
}

// createPair is an asymmetric key.
func createPair(n int) *storepb.CreateKey {
	c := createKey(n)
	c.Spec, c.Usage, c.Algorithm = "EC_P256", "SIGN/VERIFY", uint32(crypto.AlgorithmECP256)
	return c
}

// addPair adds a version to an asymmetric key.
func addPair(key, to int) *storepb.AddKeyVersion {
	return &storepb.AddKeyVersion{KeyId: idOf(key), VersionId: versionOf(to), Algorithm: uint32(crypto.AlgorithmECP256), Wrapped: material(to)}
}

// A version that was added is there, but not in use, until the switch.
func TestRotationTakesTwoSteps(t *testing.T) {
	r := newRegion(t)
	c := createKey(1)
	c.RotationIntervalMs = 30 * dayMs
	r.ok(c)
	r.stamp += dayMs
	rotated := time.UnixMilli(r.stamp).UTC()
	result := r.ok(rotateKey(1, 1, 100))
	fromResult, _ := KeyOf(result)
	for where, k := range map[string]*Key{"result": fromResult, "view": r.key(id(1))} {
		if k.PrimaryVersion != version(1) || k.NextVersion != version(100) || k.Versions != 2 ||
			!k.LastRotation.Equal(rotated) || !k.NextRotation.Equal(rotated.Add(30*24*time.Hour)) {
			t.Errorf("%s, added: %+v", where, k)
		}
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, rotateKey(1, 1, 101)) // one at a time
	r.refused(storepb.Code_PRIMARY_CHANGED, rotateKey(1, 100, 101))
	r.refused(storepb.Code_PRIMARY_CHANGED, switchTo(1, 101))
	r.stamp += dayMs
	for range 2 { // the second time changes nothing
		result := r.ok(switchTo(1, 100))
		if string(result.VersionId) != string(versionOf(100)) {
			t.Errorf("the result names version %x", result.VersionId)
		}
		if k := r.key(id(1)); k.PrimaryVersion != version(100) || !k.NextVersion.IsZero() || k.Versions != 2 || !k.LastRotation.Equal(rotated) {
			t.Errorf("switched: %+v", k)
		}
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, switchTo(1, 1)) // there is no way back
	r.refused(storepb.Code_PRIMARY_CHANGED, rotateKey(1, 1, 101))
	r.read(func(v *View) {
		for _, n := range []int{1, 100} {
			if _, err := v.Version(id(1), version(n)); err != nil {
				t.Errorf("version %d: %v", n, err)
			}
		}
	})
	r.refused(storepb.Code_KEY_NOT_FOUND, switchTo(9, 100))
	r.check()
}

// A version in waiting that does not work gives its place to another, and never
// becomes the primary one.
func TestVersionInWaitingIsReplaced(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	replacing := func(old, to int) *storepb.AddKeyVersion {
		c := rotateKey(1, 1, to)
		c.Replaces = versionOf(old)
		return c
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, replacing(100, 101)) // none waits
	r.ok(rotateKey(1, 1, 100))
	r.refused(storepb.Code_PRIMARY_CHANGED, replacing(1, 101))
	r.refused(storepb.Code_INVALID, replacing(100, 100))
	cut := replacing(100, 101)
	cut.Replaces = cut.Replaces[1:]
	r.refused(storepb.Code_INVALID, cut)
	r.stamp += dayMs
	c := replacing(100, 101)
	c.Limit, c.RegionLimit = 1, 1
	r.refused(storepb.Code_LIMIT, c)
	c.Limit, c.RegionLimit = 2, 2 // as many as before
	r.ok(c)
	if k := r.key(id(1)); k.PrimaryVersion != version(1) || k.NextVersion != version(101) || k.Versions != 2 || k.LastRotation.UnixMilli() != r.stamp {
		t.Errorf("%+v", k)
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, switchTo(1, 100))
	r.read(func(v *View) {
		if _, err := v.Version(id(1), version(100)); err != ErrVersionNotFound {
			t.Errorf("the version that was replaced: %v", err)
		}
		if ids, err := v.DueSwitches(time.UnixMilli(r.stamp), 10); err != nil || len(ids) != 1 {
			t.Errorf("waiting: %v, %v", ids, err)
		}
	})
	r.ok(switchTo(1, 101))
	r.refused(storepb.Code_PRIMARY_CHANGED, replacing(101, 102)) // it is in use
	r.ok(createPair(2))
	pair := addPair(2, 200)
	pair.Replaces = versionOf(2)
	r.refused(storepb.Code_PRIMARY_CHANGED, pair)
	r.check()
}

// A switch does not wait for its key to be in use.
func TestSwitchInAnyState(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		r.ok(createKey(n))
		r.ok(rotateKey(n, n, 100+n))
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	for n, state := range map[int]KeyState{1: Enabled, 2: Disabled, 3: PendingDeletion} {
		r.ok(switchTo(n, 100+n))
		if k := r.key(id(n)); k.State != state || k.PrimaryVersion != version(100+n) {
			t.Errorf("%+v", k)
		}
	}
	r.check()
}

// The versions of an asymmetric key stand beside each other.
func TestVersionsOfAnAsymmetricKey(t *testing.T) {
	r := newRegion(t)
	r.ok(createPair(1))
	for n := 100; n < 103; n++ {
		r.stamp += dayMs
		r.ok(addPair(1, n))
		k := r.key(id(1))
		if k.PrimaryVersion != version(1) || !k.NextVersion.IsZero() || k.Versions != n-98 || !k.LastRotation.Equal(time.UnixMilli(r.stamp)) {
			t.Errorf("%+v", k)
		}
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, switchTo(1, 102))
	r.ok(switchTo(1, 1)) // it is that
	r.check()
}

func TestVersionLimits(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		r.ok(createPair(n))
	}
	limited := func(to int, limit uint32, region uint64) *storepb.AddKeyVersion {
		c := addPair(1, to)
		c.Limit, c.RegionLimit = limit, region
		return c
	}
	for _, tt := range []struct {
		c     *storepb.AddKeyVersion
		limit uint64
		what  string // of the refusal; empty: none
	}{
		{limited(100, 1, 0), 1, "versions"},
		{limited(100, 2, 0), 0, ""},
		{limited(101, 2, 0), 2, "versions"},
		{limited(101, 0, 4), 4, "versions of the region"},
		{limited(101, 0, 5), 0, ""},
		{limited(102, 0, 5), 5, "versions of the region"},
		{limited(102, 0, 0), 0, ""},
	} {
		if tt.what == "" {
			r.ok(tt.c)
		} else if result := r.refused(storepb.Code_LIMIT, tt.c); result.Limit != tt.limit || result.What != tt.what {
			t.Errorf("limit of %d %s; want %d %s", result.Limit, result.What, tt.limit, tt.what)
		}
	}
	r.check()
}

func TestVersionsKeepTheirDistance(t *testing.T) {
	r := newRegion(t)
	r.ok(createPair(1))
	for n := 100; n < 102; n++ { // after the creation, then after the first rotation
		c := addPair(1, n)
		c.MinIntervalMs = 7 * dayMs
		r.stamp += 7*dayMs - 1
		r.refused(storepb.Code_TOO_SOON, c)
		r.stamp++
		r.ok(c)
	}
	r.ok(addPair(1, 103)) // no interval
	r.check()
}

// What cannot be rotated.
func TestNoVersionForAnImportedKey(t *testing.T) {
	r := newRegion(t)
	r.imported(1, 1)
	r.refused(storepb.Code_UNSUPPORTED_ORIGIN, rotateKey(1, 1, 100))
	r.ok(&storepb.DisableKey{KeyId: idOf(1)})
	r.refused(storepb.Code_KEY_STATE, rotateKey(1, 1, 100))
	r.check()
}

func TestRotationPolicy(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.stamp += 10 * dayMs
	next := func(want int64) {
		t.Helper()
		k := r.key(id(1))
		if (want == 0) != k.NextRotation.IsZero() || want != 0 && k.NextRotation.UnixMilli() != want {
			t.Errorf("next rotation %s; want %d", k.NextRotation, want)
		}
		due := 0
		if want != 0 {
			due = 1
		}
		r.read(func(v *View) {
			if ids, err := v.DueRotations(time.UnixMilli(max(want, r.stamp)), 10); err != nil || len(ids) != due {
				t.Errorf("due: %v, %v", ids, err)
			}
		})
	}
	next(0)
	r.ok(&storepb.UpdateRotationPolicy{KeyId: idOf(1), IntervalMs: 7 * dayMs}) // due three days ago
	next(baseStamp + 7*dayMs)
	r.ok(rotateKey(1, 1, 100))
	next(r.stamp + 7*dayMs)
	r.ok(&storepb.UpdateRotationPolicy{KeyId: idOf(1), IntervalMs: 365 * dayMs}) // since the last rotation
	next(r.stamp + 365*dayMs)
	r.ok(&storepb.UpdateRotationPolicy{KeyId: idOf(1)})
	next(0)
	if k := r.key(id(1)); k.RotationInterval != 0 || k.NextVersion != version(100) {
		t.Errorf("%+v", k)
	}
	r.imported(2, 1)
	r.refused(storepb.Code_UNSUPPORTED_ORIGIN, &storepb.UpdateRotationPolicy{KeyId: idOf(2), IntervalMs: 7 * dayMs})
	r.ok(createPair(3))
	r.refused(storepb.Code_UNSUPPORTED_SPEC, &storepb.UpdateRotationPolicy{KeyId: idOf(3), IntervalMs: 7 * dayMs})
	r.check()
}

// Versions wait in the order in which they were added.
func TestDueSwitches(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 4; n++ {
		r.ok(createKey(n))
	}
	for n := 3; n >= 1; n-- {
		r.stamp += 1000
		r.ok(rotateKey(n, n, 100+n))
	}
	waiting := func(atMs int64, limit int) string {
		t.Helper()
		var out []int
		r.read(func(v *View) {
			ids, err := v.DueSwitches(time.UnixMilli(baseStamp+atMs), limit)
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
	}{{999, 10, "[]"}, {1000, 10, "[3]"}, {2999, 10, "[3 2]"}, {3000, 10, "[3 2 1]"}, {3000, 2, "[3 2]"}, {3000, 0, "[]"}} {
		if got := waiting(c.at, c.limit); got != c.want {
			t.Errorf("at %d ms, at most %d: %s; want %s", c.at, c.limit, got, c.want)
		}
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	if got := waiting(3000, 10); got != "[3 2 1]" {
		t.Errorf("out of use: %s", got)
	}
	r.ok(switchTo(2, 102))
	if got := waiting(3000, 10); got != "[3 1]" {
		t.Errorf("after switching 2: %s", got)
	}
	r.stamp += 8 * dayMs
	r.ok(&storepb.DestroyKeys{KeyIds: [][]byte{idOf(3)}})
	if got := waiting(3000, 10); got != "[1]" {
		t.Errorf("after destroying 3: %s", got)
	}
	r.check()
}

// Keys are due for rotation only while they are enabled.
func TestDueRotations(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 3; n++ {
		c := createKey(n)
		c.RotationIntervalMs = int64(10-n) * dayMs // 3 is due first
		r.ok(c)
	}
	r.ok(createKey(4))
	due := func(afterDays int64, limit int) string {
		t.Helper()
		var out []int
		r.read(func(v *View) {
			ids, err := v.DueRotations(time.UnixMilli(baseStamp+afterDays*dayMs), limit)
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
		days  int64
		limit int
		want  string
	}{{6, 10, "[]"}, {7, 10, "[3]"}, {9, 10, "[3 2 1]"}, {9, 2, "[3 2]"}, {9, 0, "[]"}} {
		if got := due(c.days, c.limit); got != c.want {
			t.Errorf("after %d days, at most %d: %s; want %s", c.days, c.limit, got, c.want)
		}
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(3)})
	if got := due(9, 10); got != "[2 1]" {
		t.Errorf("after disabling 3: %s", got)
	}
	r.ok(&storepb.EnableKey{KeyId: idOf(3)})
	if got := due(9, 10); got != "[3 2 1]" {
		t.Errorf("after enabling 3: %s", got)
	}
	r.stamp += 9 * dayMs
	r.ok(rotateKey(3, 3, 103))
	if got := due(9, 10); got != "[2 1]" {
		t.Errorf("after rotating 3: %s", got)
	}
	r.check()
}
