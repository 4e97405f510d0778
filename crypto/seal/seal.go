// Package seal keeps a region's root key away from the region's data: a [Provider] wraps and unwraps the keyring, and
// nothing else is ever put under the root key.
package seal

import (
	"context"
	"encoding/binary"
	"errors"

	"meridian/crypto"
)

var (
	// ErrOtherProvider says that bytes were wrapped by a provider of another kind.
	ErrOtherProvider = errors.New("seal: wrapped by another kind of provider")
	// ErrOtherKey says that bytes were wrapped under another root key than the one that is there.
	ErrOtherKey = errors.New("seal: wrapped under another root key")
	// ErrUnwrap says that wrapped bytes were changed or belong to another region.
	ErrUnwrap = errors.New("seal: does not unwrap under this root key: the bytes were changed or belong elsewhere")
	// ErrClosed says that the provider was closed.
	ErrClosed = errors.New("seal: the root key is closed")
)

// Provider holds a root key or knows who does. It is safe for concurrent use.
type Provider interface {
	// Name is the kind of provider, such as "file".
	Name() string
	// Wrap seals plaintext under the root key, tied to aad.
	Wrap(ctx context.Context, plaintext crypto.Secret, aad []byte) (Wrapped, error)
	// Unwrap returns what Wrap sealed with the same aad; the caller wipes it. Errors of every provider: ErrOtherProvider,
	// ErrOtherKey, ErrUnwrap, ErrClosed; a remote one adds its own, which may pass with time.
	Unwrap(ctx context.Context, w Wrapped, aad []byte) (crypto.Secret, error)
	// Close forgets the root key.
	Close() error
}

// Wrapped is what a root key sealed. It is stored with the region's data.
type Wrapped struct {
	Provider   string // Name of the provider
	KeyID      string // the root key or version of it that sealed, in the provider's own terms
	Ciphertext []byte
}

// keyringDomain separates the AAD of keyrings from every other use of a root key.
const keyringDomain = "meridian/seal/keyring/1"

// KeyringAAD ties a wrapped keyring to its region:
//
//	"meridian/seal/keyring/1" || u32(len) || region || u32(len) || cluster id
func KeyringAAD(region string, clusterID []byte) []byte {
	aad := []byte(keyringDomain)
	aad = binary.BigEndian.AppendUint32(aad, uint32(len(region)))
	aad = append(aad, region...)
	aad = binary.BigEndian.AppendUint32(aad, uint32(len(clusterID)))
	return append(aad, clusterID...)
}
