package crypto

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrFingerprint says that bytes are no fingerprint, or one of an epoch that the keyring does not have.
var ErrFingerprint = errors.New("crypto: not a fingerprint of this keyring")

const (
	fingerprintFormat      = 1
	fingerprintHeaderBytes = 1 + 4
	fingerprintDomain      = "meridian/fingerprint/1"

	// FingerprintBytes is the length of a fingerprint.
	FingerprintBytes = fingerprintHeaderBytes + sha256.Size
)

// Fingerprint returns what tells whether imported material is that which was imported before, and tells nothing else to
// whoever has no keyring:
//
//	format (1 byte, 0x01) || u32(epoch) || HMAC-SHA-256(key, place || material)
//	key   = HKDF-SHA-256(KEK of the epoch, no salt, "meridian/fingerprint/1")
//	place = the encoding of the binding, as for wrapped bytes, with the domain "meridian/fingerprint/1"
//
// The KEK is the current one. Error: [ErrKeyringClosed].
func (k *Keyring) Fingerprint(b Binding, material []byte) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return nil, ErrKeyringClosed
	}
	return k.entries[len(k.entries)-1].fingerprint(b, material)
}

// SameMaterial says whether fingerprint is that of material at the place b, whichever epoch of the keyring made it. It
// takes the same time either way. Errors: [ErrFingerprint], [ErrKeyringClosed].
func (k *Keyring) SameMaterial(b Binding, fingerprint, material []byte) (bool, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.arena == nil {
		return false, ErrKeyringClosed
	}
	if len(fingerprint) != FingerprintBytes || fingerprint[0] != fingerprintFormat {
		return false, fmt.Errorf("%w: its format is unknown", ErrFingerprint)
	}
	epoch := binary.BigEndian.Uint32(fingerprint[1:])
	e, found := k.kek(epoch)
	if !found {
		return false, fmt.Errorf("%w: there is no KEK of epoch %d", ErrFingerprint, epoch)
	}
	again, err := e.fingerprint(b, material)
	if err != nil {
		return false, err
	}
	return hmac.Equal(fingerprint, again), nil
}

func (e kek) fingerprint(b Binding, material []byte) ([]byte, error) {
	derived, err := hkdf.Key(sha256.New, e.raw, nil, fingerprintDomain, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("crypto: derive a fingerprint's key: %w", err)
	}
	defer clear(derived)
	mac := hmac.New(sha256.New, derived)
	mac.Write(b.appendTo(nil, fingerprintDomain, fingerprintFormat, e.epoch))
	mac.Write(material)
	out := make([]byte, 0, FingerprintBytes)
	out = append(out, fingerprintFormat)
	out = binary.BigEndian.AppendUint32(out, e.epoch)
	return mac.Sum(out), nil
}
