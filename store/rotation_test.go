package store

import (
	"fmt"
	"testing"
	"time"

	"meridian/crypto"
	"meridian/store/storepb"
)

func rotateKey(key, from, to int) *storepb.AddKeyVersion {
	return &storepb.AddKeyVersion{
		KeyId: idOf(key), VersionId: versionOf(to), Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: material(to),
		ExpectedPrimary: versionOf(from),
	}
}

func TestRotateKey(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.stamp += dayMs
	r.ok(rotateKey(1, 1, 100))
	r.refused(storepb.Code_PRIMARY_CHANGED, rotateKey(1, 1, 101))
	k := r.key(id(1))
	if k.PrimaryVersion != version(100) || k.Versions != 2 || !k.LastRotation.Equal(time.UnixMilli(baseStamp+dayMs)) {
		t.Errorf("%+v", k)
	}
	r.read(func(v *View) {
		for _, n := range []int{1, 100} {
			if _, err := v.Version(id(1), version(n)); err != nil {
				t.Errorf("version %d: %v", n, err)
			}
		}
	})
	limited := rotateKey(1, 100, 101)
	limited.Limit = 2
	r.refused(storepb.Code_LIMIT, limited)
	r.ok(importKey(2))
	imported := createKey(3)
	imported.Origin = "EXTERNAL"
	r.ok(imported)
	r.refused(storepb.Code_UNSUPPORTED_ORIGIN, rotateKey(3, 3, 103))
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
