package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// Versions are listed from the newest, the one in waiting included.
func TestVersions(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(createKey(2))
	r.ok(importKey(3))
	var want []crypto.VersionID
	for n := range 4 {
		r.stamp += 1000
		from := 99 + n
		if n == 0 {
			from = 1
		}
		r.ok(rotateKey(1, from, 100+n))
		want = append(want, version(100+n))
		if n < 3 {
			r.ok(switchTo(1, 100+n))
		}
	}
	slices.Reverse(want)
	want = append(want, version(1))
	r.read(func(v *View) {
		versions, err := v.Versions(id(1))
		if err != nil || len(versions) != len(want) {
			t.Fatalf("%d versions, %v", len(versions), err)
		}
		for i, ver := range versions {
			one, err := v.Version(id(1), want[i])
			if err != nil || ver.ID != want[i] || ver.KeyID != id(1) || !ver.Created.Equal(one.Created) || string(ver.Wrapped) != string(one.Wrapped) || ver.Algorithm != one.Algorithm {
				t.Errorf("%d: %+v; want %+v, %v", i, ver, one, err)
			}
		}
		if versions, err := v.Versions(id(3)); err != nil || len(versions) != 0 {
			t.Errorf("without material: %v, %v", versions, err)
		}
		if _, err := v.Versions(id(9)); !errors.Is(err, ErrKeyNotFound) {
			t.Errorf("of no key: %v", err)
		}
	})
}

// Versions of one millisecond have an order all the same.
func TestVersionsOfOneMoment(t *testing.T) {
	r := newRegion(t)
	r.ok(createPair(1))
	for n := 100; n < 110; n++ {
		r.ok(addPair(1, n))
	}
	r.read(func(v *View) {
		versions, err := v.Versions(id(1))
		if err != nil || len(versions) != 11 {
			t.Fatalf("%d, %v", len(versions), err)
		}
		if !slices.IsSortedFunc(versions, func(a, b *Version) int { return slices.Compare(b.ID[:], a.ID[:]) }) {
			t.Error("no order")
		}
	})
}

// A version that is not where the key's record says it is is damage, and no
// version less.
func TestMissingVersionIsDamage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remove int
		less   uint32 // versions that the key's record counts less
	}{
		{"an old one", 1, 0},
		{"the primary one", 100, 0},
		{"the primary one, and the count is right", 100, 1},
		{"the next one", 101, 0},
		{"the next one, and the count is right", 101, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegion(t)
			r.ok(createKey(1))
			r.ok(rotateKey(1, 1, 100))
			r.ok(switchTo(1, 100))
			r.ok(rotateKey(1, 100, 101))
			r.store.Close()
			rewrite(t, r.path, func(tx *bbolt.Tx) error {
				k := new(storepb.KeyRecord)
				key := id(1)
				err := loadRaw(tx, record.Keys, key[:], k)
				k.Versions -= tt.less
				return errors.Join(err, putRaw(tx, record.Keys, key[:], k),
					tx.Bucket([]byte(record.Versions.Name())).Delete(record.VersionKey(key, version(tt.remove))))
			})
			r.open(Config{})
			r.read(func(v *View) {
				if _, err := v.Versions(id(1)); !errors.Is(err, ErrDamaged) {
					t.Errorf("all: %v", err)
				}
				if _, err := v.Version(id(1), version(tt.remove)); !errors.Is(err, ErrDamaged) {
					t.Errorf("the one: %v", err)
				}
			})
		})
	}
}

// A token that the state counts and that is not there is damage, also for whoever
// asks for another.
func TestMissingImportTokenIsDamage(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	for n := range 3 {
		r.ok(createToken(1, n))
	}
	r.read(func(v *View) {
		if _, err := v.ImportToken(tokenHash(9)); !errors.Is(err, ErrTokenNotFound) {
			t.Errorf("of a token that never was: %v", err)
		}
	})
	r.store.Close()
	rewrite(t, r.path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(record.ImportTokens.Name())).Delete(hashOf(1))
	})
	r.open(Config{})
	r.read(func(v *View) {
		for _, n := range []int{1, 9} {
			if _, err := v.ImportToken(tokenHash(n)); !errors.Is(err, ErrDamaged) {
				t.Errorf("token %d: %v", n, err)
			}
		}
		if token, err := v.ImportToken(tokenHash(2)); err != nil || !token.Expires.Equal(time.UnixMilli(baseStamp+tokenMs)) {
			t.Errorf("one that is there: %v, %v", token, err)
		}
	})
}
