package store

import (
	"errors"
	"testing"
	"time"

	"meridian/store/storepb"
)

func TestImportTokenIsRefused(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.ok(importKey(2))
	r.ok(createToken(2, 1))
	for _, tt := range []struct {
		name   string
		code   storepb.Code
		change func(*storepb.CreateImportToken)
	}{
		{"no such key", storepb.Code_KEY_NOT_FOUND, func(c *storepb.CreateImportToken) { c.KeyId = idOf(9) }},
		{"a key with material of its own", storepb.Code_UNSUPPORTED_ORIGIN, func(c *storepb.CreateImportToken) { c.KeyId = idOf(1) }},
		{"a hash that is taken", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.TokenHash = hashOf(1) }},
		{"a short hash", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.TokenHash = c.TokenHash[:15] }},
		{"no private key", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.Wrapped = nil }},
		{"no scheme", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.Scheme = "" }},
		{"no time", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.TtlMs = 0 }},
		{"less than no time", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.TtlMs = -1 }},
		{"too much time", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.TtlMs = maxDays*dayMs + 1 }},
		{"no key id", storepb.Code_INVALID, func(c *storepb.CreateImportToken) { c.KeyId = nil }},
	} {
		c := createToken(2, 2)
		tt.change(c)
		if result := r.do(c); result.Code != tt.code {
			t.Errorf("%s: %s %s; want %s", tt.name, result.Code, result.What, tt.code)
		}
	}
	longest := createToken(2, 2)
	longest.TtlMs = maxDays * dayMs
	r.ok(longest)
	r.ok(importKey(4))
	for n := 3; n <= 5; n++ { // two are there
		c := createToken(2, n)
		if n == 5 {
			c = createToken(4, n)
		}
		c.Limit = 4
		if n < 5 {
			r.ok(c)
		} else if result := r.refused(storepb.Code_LIMIT, c); result.Limit != 4 || result.What != "import tokens" {
			t.Errorf("limit of %d %s", result.Limit, result.What)
		}
	}
	r.ok(createToken(4, 5)) // no limit
	r.check()
}

// Where the region has no room for more tokens a key that has some gets a new one
// for its oldest.
func TestImportTokenTakesThePlaceOfTheOldest(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(importKey(2))
	token := func(key, n int) *storepb.CreateImportToken {
		c := createToken(key, n)
		c.Limit = 3
		return c
	}
	r.ok(token(1, 1))
	r.ok(token(1, 2))
	r.ok(token(1, 3))
	r.refused(storepb.Code_LIMIT, token(2, 4)) // it has none to give
	r.ok(token(1, 4))
	r.read(func(v *View) {
		for n := 1; n <= 4; n++ {
			if _, err := v.ImportToken(tokenHash(n)); (err == nil) != (n > 1) {
				t.Errorf("token %d: %v", n, err)
			}
		}
	})
	r.check()
	r.ok(&storepb.UseImportToken{KeyId: idOf(1), TokenHash: hashOf(2)})
	r.ok(token(2, 5))
	r.ok(token(2, 6)) // for token 5
	r.refused(storepb.Code_TOKEN_UNKNOWN, importMaterial(2, 5))
	r.ok(importMaterial(2, 6))
	r.check()
}

// A key in any state has tokens made for it.
func TestImportTokenInAnyState(t *testing.T) {
	r := newRegion(t)
	for n := 1; n <= 4; n++ {
		r.imported(n, n)
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(2)})
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(3), Days: 7})
	r.ok(&storepb.DeleteKeyMaterial{KeyId: idOf(4)})
	for n := 1; n <= 4; n++ {
		if k, ok := KeyOf(r.ok(createToken(n, 10+n))); !ok || k.ID != id(n) {
			t.Errorf("key %d: the result carries %v", n, k)
		}
	}
	r.check()
}

// A token is good for its time, is known to have expired for a day, and then gone.
func TestImportTokenExpires(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(importKey(2))
	r.ok(createToken(1, 1))
	r.ok(createToken(2, 2))
	r.stamp += tokenMs - 1
	r.ok(importMaterial(2, 2))
	r.stamp++
	r.refused(storepb.Code_TOKEN_EXPIRED, importMaterial(1, 1))
	r.stamp += tokenRestMs - 1
	r.refused(storepb.Code_TOKEN_EXPIRED, importMaterial(1, 1))
	r.read(func(v *View) {
		if token, err := v.ImportToken(tokenHash(1)); err != nil || !token.Expires.Equal(time.UnixMilli(baseStamp+tokenMs)) {
			t.Errorf("expired: %+v, %v", token, err)
		}
	})
	r.stamp++
	r.refused(storepb.Code_TOKEN_UNKNOWN, importMaterial(1, 1))
	r.read(func(v *View) {
		if _, err := v.ImportToken(tokenHash(1)); !errors.Is(err, ErrTokenNotFound) || v.state.ImportTokens != 0 {
			t.Errorf("gone: %v, %d tokens", err, v.state.ImportTokens)
		}
	})
	r.check()
}

// Expired tokens go a bounded number with each command.
func TestExpiredTokensArePruned(t *testing.T) {
	r := newRegion(t)
	const n = 3*pruneEach + 1
	for token := range n {
		if token%maxKeyTokens == 0 {
			r.ok(importKey(1 + token/maxKeyTokens))
		}
		r.ok(createToken(1+token/maxKeyTokens, token))
	}
	r.stamp += tokenMs + tokenRestMs
	for left := n; left > 0; {
		r.ok(&storepb.UpdateKeyDescription{KeyId: idOf(1), Description: "d"})
		left = max(0, left-pruneEach)
		r.read(func(v *View) {
			if v.state.ImportTokens != uint64(left) {
				t.Fatalf("%d tokens; want %d", v.state.ImportTokens, left)
			}
		})
		r.check()
	}
}

// A key has so many tokens and no more: a new one takes the place of the oldest.
func TestTokensOfAKeyAreBounded(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(importKey(2))
	r.ok(createToken(2, 100))
	for token := range maxKeyTokens {
		r.ok(createToken(1, token))
	}
	there := func(token int, want bool) {
		t.Helper()
		r.read(func(v *View) {
			if _, err := v.ImportToken(tokenHash(token)); (err == nil) != want {
				t.Errorf("token %d: %v", token, err)
			}
		})
	}
	there(0, true)
	r.ok(createToken(1, maxKeyTokens))
	there(0, false)
	there(1, true)
	there(100, true)
	r.ok(importMaterial(1, 1)) // one less
	r.ok(createToken(1, maxKeyTokens+1))
	there(2, true)
	r.ok(createToken(1, maxKeyTokens+2))
	there(2, false)
	r.check()
}

// A token that is used up before its import was there for one alone.
func TestUseImportToken(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(importKey(2))
	r.ok(createToken(1, 1))
	use := func(key, token int) *storepb.UseImportToken {
		return &storepb.UseImportToken{KeyId: idOf(key), TokenHash: hashOf(token)}
	}
	r.refused(storepb.Code_TOKEN_UNKNOWN, use(2, 1))
	r.refused(storepb.Code_TOKEN_UNKNOWN, use(1, 2))
	r.refused(storepb.Code_INVALID, &storepb.UseImportToken{KeyId: idOf(1), TokenHash: hashOf(1)[1:]})
	r.refused(storepb.Code_INVALID, &storepb.UseImportToken{KeyId: idOf(1)[1:], TokenHash: hashOf(1)})
	r.ok(use(1, 1))
	r.refused(storepb.Code_TOKEN_UNKNOWN, use(1, 1))
	r.refused(storepb.Code_TOKEN_UNKNOWN, importMaterial(1, 1))
	c := importMaterial(1, 1)
	c.TokenHash = nil
	r.ok(c)
	if k := r.key(id(1)); k.State != Enabled || k.Versions != 1 {
		t.Errorf("%+v", k)
	}
	r.ok(createToken(2, 3))
	r.stamp += tokenMs
	r.refused(storepb.Code_TOKEN_EXPIRED, use(2, 3))
	r.check()
}

// The tokens of a key go with it: they hold what material was encrypted for.
func TestImportTokenOfADestroyedKey(t *testing.T) {
	r := newRegion(t)
	r.ok(importKey(1))
	r.ok(&storepb.ScheduleKeyDeletion{KeyId: idOf(1), Days: 7})
	r.stamp += 7 * dayMs
	r.ok(createToken(1, 1))
	r.ok(&storepb.DestroyKeys{KeyIds: [][]byte{idOf(1)}})
	r.refused(storepb.Code_KEY_NOT_FOUND, importMaterial(1, 1))
	r.read(func(v *View) {
		if v.state.ImportTokens != 0 {
			t.Errorf("%d tokens", v.state.ImportTokens)
		}
	})
	r.check()
}
