package access

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"sync"
)

// MACKind names a keyed hash with which requests are signed.
type MACKind uint8

const (
	// V1SHA1 is HMAC-SHA1 keyed with the secret and "&".
	V1SHA1 MACKind = iota
	// V1SHA256 is HMAC-SHA256 keyed with the secret and "&".
	V1SHA256
	// V3SHA256 is HMAC-SHA256 keyed with the secret.
	V3SHA256

	macKinds = iota
)

// MAC is a keyed hash ready for one request; give it back with Release.
type MAC struct {
	hash.Hash
	pool *macPool
}

// macPool keeps keyed hashes whose key is already worked in, one for each request under way.
type macPool struct{ pool sync.Pool }

// SHA1Allowed reports whether HMAC-SHA1 may be used: the FIPS-only mode forbids it, and would panic.
func SHA1Allowed() bool { return !fips140.Enforced() }

// MAC returns a fresh keyed hash of the identity's secret. V1SHA1 must not be asked for unless SHA1Allowed.
func (id *Identity) MAC(kind MACKind) *MAC {
	pool := &id.macs[kind]
	if m, ok := pool.pool.Get().(*MAC); ok {
		return m
	}
	m := &MAC{pool: pool}
	switch kind {
	case V1SHA1:
		m.Hash = hmac.New(sha1.New, id.v1Key())
	case V1SHA256:
		m.Hash = hmac.New(sha256.New, id.v1Key())
	default:
		m.Hash = hmac.New(sha256.New, id.Secret)
	}
	return m
}

// Release makes the hash ready for the next request.
func (m *MAC) Release() {
	m.Reset()
	m.pool.pool.Put(m)
}

// v1Key is the secret and "&", with room for no more.
func (id *Identity) v1Key() []byte {
	key := make([]byte, 0, len(id.Secret)+1)
	return append(append(key, id.Secret...), '&')
}
