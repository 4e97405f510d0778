package store

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/storepb"
)

const tokenMs = dayMs

// tokenHash builds hashes that are easy to tell apart.
func tokenHash(token int) [16]byte {
	hash := [16]byte{0: 0x70}
	binary.BigEndian.PutUint64(hash[8:], uint64(token))
	return hash
}

func hashOf(token int) []byte { h := tokenHash(token); return h[:] }

// createToken makes a token for a key.
func createToken(key, token int) *storepb.CreateImportToken {
	return &storepb.CreateImportToken{
		KeyId: idOf(key), TokenHash: hashOf(token), Wrapped: material(token), Scheme: "RSAES_OAEP_SHA_256", TtlMs: tokenMs,
	}
}

// importMaterial brings a key its material: version and fingerprint are numbered
// like the key.
func importMaterial(key, token int) *storepb.ImportKeyMaterial {
	return &storepb.ImportKeyMaterial{
		KeyId: idOf(key), TokenHash: hashOf(token), VersionId: versionOf(key), Algorithm: uint32(crypto.AlgorithmXAES256GCM),
		Wrapped: material(key), Fingerprint: fingerprint(key),
	}
}

func fingerprint(n int) []byte { return material(n)[:37] }

// imported makes a key with imported material, by a token.
func (r *region) imported(key, token int) {
	r.t.Helper()
	r.ok(importKey(key))
	r.ok(createToken(key, token))
	r.ok(importMaterial(key, token))
}

// reimport brings a key the same material again.
func (r *region) reimport(key, token int, change func(*storepb.ImportKeyMaterial)) {
	r.t.Helper()
	r.ok(createToken(key, token))
	c := importMaterial(key, token)
	if change != nil {
		change(c)
	}
	r.ok(c)
}

func TestImportKeyMaterial(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.stamp += 1000
	result := r.ok(createToken(1, 5))
	if want := r.stamp + tokenMs; result.ExpiresMs != want {
		t.Errorf("the token expires at %d; want %d", result.ExpiresMs, want)
	}
	r.read(func(v *View) {
		token, err := v.ImportToken(tokenHash(5))
		want := &ImportToken{KeyID: id(1), Wrapped: material(5), Scheme: "RSAES_OAEP_SHA_256", Expires: time.UnixMilli(r.stamp + tokenMs).UTC()}
		if err != nil || !reflect.DeepEqual(token, want) {
			t.Errorf("token: %+v, %v; want %+v", token, err, want)
		}
	})
	r.stamp += 1000
	created := time.UnixMilli(r.stamp).UTC()
	c := importMaterial(1, 5)
	c.ExpiresMs = r.stamp + 1
	result = r.ok(c)
	fromResult, _ := KeyOf(result)
	for where, k := range map[string]*Key{"result": fromResult, "view": r.key(id(1))} {
		if k.State != Enabled || k.PrimaryVersion != version(1) || k.Versions != 1 || k.ImportVersion != version(1) ||
			!reflect.DeepEqual(k.ImportFingerprint, fingerprint(1)) || !k.MaterialExpires.Equal(created.Add(time.Millisecond)) {
			t.Errorf("%s: %+v", where, k)
		}
	}
	if string(result.VersionId) != string(versionOf(1)) {
		t.Errorf("the result names version %x", result.VersionId)
	}
	r.read(func(v *View) {
		ver, err := v.Version(id(1), version(1))
		if err != nil || string(ver.Wrapped) != string(material(1)) || !ver.Created.Equal(created) {
			t.Errorf("version: %+v, %v", ver, err)
		}
		if _, err := v.ImportToken(tokenHash(5)); !errors.Is(err, ErrTokenNotFound) {
			t.Errorf("the token that was used: %v", err)
		}
	})
	r.refused(storepb.Code_TOKEN_UNKNOWN, importMaterial(1, 5))
	r.check()
	r.reopen()
	r.check()
}

// The same material only, for ever, as the same version.
func TestDeletedMaterialComesBack(t *testing.T) {
	r := newRegion(t)
	r.imported(1, 1)
	created := r.key(id(1)).StateChanged
	r.stamp += dayMs
	r.ok(&storepb.DeleteKeyMaterial{KeyId: idOf(1)})
	r.read(func(v *View) {
		if _, err := v.Version(id(1), version(1)); !errors.Is(err, ErrVersionNotFound) {
			t.Errorf("deleted material: %v", err)
		}
		if versions, err := v.Versions(id(1)); err != nil || len(versions) != 0 {
			t.Errorf("versions: %v, %v", versions, err)
		}
	})
	k := r.key(id(1))
	if k.State != PendingImport || !k.PrimaryVersion.IsZero() || k.Versions != 0 || k.ImportVersion != version(1) || len(k.ImportFingerprint) == 0 {
		t.Errorf("deleted: %+v", k)
	}
	r.check()

	r.ok(createToken(1, 2))
	other := importMaterial(1, 2)
	other.Fingerprint = fingerprint(9)
	r.refused(storepb.Code_MATERIAL_DIFFERS, other)
	other = importMaterial(1, 2)
	other.VersionId = versionOf(9) // whoever made this did not know that there was an import
	r.refused(storepb.Code_PRIMARY_CHANGED, other)
	r.stamp += dayMs - 1
	r.ok(importMaterial(1, 2)) // the token is good still
	if k := r.key(id(1)); k.State != Enabled || k.PrimaryVersion != version(1) || k.Versions != 1 {
		t.Errorf("imported again: %+v", k)
	}
	r.read(func(v *View) {
		if ver, err := v.Version(id(1), version(1)); err != nil || !ver.Created.Equal(created) {
			t.Errorf("version: %+v, %v; want it of %s", ver, err, created)
		}
	})
	r.check()
}

// Material that is there can be imported again, for another expiry.
func TestImportSetsTheExpiryAnew(t *testing.T) {
	r := newRegion(t)
	r.imported(1, 1)
	expires := func(ms int64) {
		t.Helper()
		r.reimport(1, 2, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = ms })
		k := r.key(id(1))
		if k.Versions != 1 || k.PrimaryVersion != version(1) || (ms == 0) != k.MaterialExpires.IsZero() {
			t.Errorf("%+v", k)
		}
		r.read(func(v *View) {
			due, err := v.DueExpiries(time.UnixMilli(maxStampMs), 10)
			if want := ms != 0; err != nil || (len(due) == 1) != want {
				t.Errorf("due: %v, %v", due, err)
			}
		})
		r.check()
	}
	expires(r.stamp + 10*dayMs)
	expires(r.stamp + 5*dayMs)
	expires(maxStampMs)
	expires(0)
	r.ok(&storepb.DisableKey{KeyId: idOf(1)})
	expires(r.stamp + 1)
	if k := r.key(id(1)); k.State != Disabled {
		t.Errorf("an import made a disabled key %s", k.State)
	}
}

// What is wrong first is said first.
func TestImportIsRefused(t *testing.T) {
	r := newRegion(t)
	r.imported(1, 1)
	r.ok(importKey(2))
	r.ok(createToken(2, 2))
	r.ok(createKey(3))
	r.imported(4, 3)
	r.ok(createToken(4, 4))
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(4), Days: 30})
	r.ok(createToken(1, 5))
	r.ok(importKey(6))
	for _, tt := range []struct {
		name string
		code storepb.Code
		key  int
		with int // token
		more func(*storepb.ImportKeyMaterial)
	}{
		{"no such key", storepb.Code_KEY_NOT_FOUND, 9, 2, nil},
		{"a key with material of its own", storepb.Code_UNSUPPORTED_ORIGIN, 3, 2, nil},
		{"a key that is to be deleted", storepb.Code_KEY_STATE, 4, 4, nil},
		{"the same, and the token unknown", storepb.Code_KEY_STATE, 4, 99, nil},
		{"expired material", storepb.Code_IN_PAST, 2, 2, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = r.stamp }},
		{"no such token", storepb.Code_TOKEN_UNKNOWN, 2, 99, nil},
		{"another key's token", storepb.Code_TOKEN_UNKNOWN, 6, 2, nil},
		{"a used token", storepb.Code_TOKEN_UNKNOWN, 1, 1, nil},
		{"another key's token, other material", storepb.Code_TOKEN_UNKNOWN, 1, 2, func(c *storepb.ImportKeyMaterial) { c.Fingerprint = fingerprint(8) }},
		{"other material", storepb.Code_MATERIAL_DIFFERS, 1, 5, func(c *storepb.ImportKeyMaterial) { c.Fingerprint = fingerprint(8) }},
		{"another version", storepb.Code_PRIMARY_CHANGED, 1, 5, func(c *storepb.ImportKeyMaterial) { c.VersionId = versionOf(8) }},
		{"another algorithm", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.Algorithm = uint32(crypto.AlgorithmXSM4GCM) }},
		{"no algorithm", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.Algorithm = 0 }},
		{"an algorithm too large", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.Algorithm = 256 }},
		{"a short token hash", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.TokenHash = c.TokenHash[:15] }},
		{"half a version id", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.VersionId = c.VersionId[:8] }},
		{"a version id of zeros", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.VersionId = make([]byte, 16) }},
		{"no material", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.Wrapped = nil }},
		{"no fingerprint", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.Fingerprint = nil }},
		{"an expiry before time began", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = -1 }},
		{"an expiry after its end", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.ExpiresMs = maxStampMs + 1 }},
		{"no key id", storepb.Code_INVALID, 2, 2, func(c *storepb.ImportKeyMaterial) { c.KeyId = nil }},
	} {
		c := importMaterial(tt.key, tt.with)
		if tt.more != nil {
			tt.more(c)
		}
		if result := r.do(c); result.Code != tt.code {
			t.Errorf("%s: %s %s; want %s", tt.name, result.Code, result.What, tt.code)
		}
	}
	if k := r.key(id(2)); k.State != PendingImport || !k.ImportVersion.IsZero() {
		t.Errorf("a refused import changed the key: %+v", k)
	}
	r.check()
	r.ok(importMaterial(2, 2)) // no refusal used the tokens up
	r.ok(importMaterial(1, 5))
	r.ok(&storepb.CancelKeyDeletion{KeyId: idOf(4)})
	r.ok(importMaterial(4, 4))
	r.check()
}

// An import that comes again has the answer of the first time, though its token
// is used up.
func TestImportIsAppliedOnce(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(createToken(1, 1))
	c := r.command(importMaterial(1, 1))
	first, again := r.apply(c), r.apply(c)
	if first.Code != storepb.Code_OK || !proto.Equal(first, again) {
		t.Errorf("%v, then %v", first, again)
	}
	r.check()
}
