package crypto

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Data keys travel between two regions under HPKE (RFC 9180) in base mode, to the transport key of the region that they
// go to: MLKEM768-P256 (draft-ietf-hpke-pq), HKDF-SHA-256, AES-256-GCM. Whoever recorded the traffic has to break both
// the lattice and the curve. ML-KEM-768, HKDF, HMAC, SHA-2, SHA-3 and AES-GCM are approved by FIPS 140-3; the curve adds to
// ML-KEM and does not count there: crypto/hpke derives its key by SHAKE256, outside of what FIPS-only mode enforces.
const (
	transportDomain = "meridian/data-keys/1"

	// TransportPublicBytes is the length of the public half of a transport key.
	TransportPublicBytes = 1184 + 65
	// transportEncapsulated is how many bytes stand before the ciphertext: the encapsulated key.
	transportEncapsulated = 1088 + 65
	// TransportOverhead is how much longer a sealed message is than its plaintext.
	TransportOverhead = transportEncapsulated + TagBytes
)

var (
	// ErrTransportKey says that bytes are no transport key.
	ErrTransportKey = errors.New("crypto: not a transport key")
	// ErrTransport says that a message does not open: changed, sealed to another key, or for another journey.
	ErrTransport = errors.New("crypto: the message does not open under this transport key")
)

// Journey is what a message is bound to: it opens for the same one only.
type Journey struct {
	From, To string // regions
	Version  uint32 // of the transport key of To
	Purpose  JourneyPurpose
}

// JourneyPurpose says what a message carries, so that one kind cannot be taken for another.
type JourneyPurpose byte

const (
	// CarriesDataKeys is a message with the key of tags and data keys to be sealed where it goes.
	CarriesDataKeys JourneyPurpose = 1
	// CarriesTagKey is a message with the key of tags alone.
	CarriesTagKey JourneyPurpose = 2
)

// info is what HPKE binds a message to:
//
//	"meridian/data-keys/1" || purpose || u32(version) || u32(len) || from || u32(len) || to
func (j Journey) info() []byte {
	b := append([]byte(transportDomain), byte(j.Purpose))
	b = binary.BigEndian.AppendUint32(b, j.Version)
	for _, region := range []string{j.From, j.To} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(region)))
		b = append(b, region...)
	}
	return b
}

// TransportKey is the key pair of a region under which data keys come in. It is safe for concurrent use and redacts
// itself.
type TransportKey struct {
	private hpke.PrivateKey
	public  *TransportPublic
}

// Format implements [fmt.Formatter]; it shows nothing of the key.
func (k *TransportKey) Format(f fmt.State, _ rune) { redact(f) }

// GenerateTransportKey makes a new key pair.
func GenerateTransportKey() (*TransportKey, error) {
	private, err := hpke.MLKEM768P256().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("crypto: generate a transport key: %w", err)
	}
	return newTransportKey(private), nil
}

// ParseTransportKey reads what [TransportKey.Marshal] wrote. The bytes are copied; wiping them is the caller's. Error:
// [ErrTransportKey].
func ParseTransportKey(material []byte) (*TransportKey, error) {
	private, err := hpke.MLKEM768P256().NewPrivateKey(material)
	if err != nil {
		return nil, ErrTransportKey // the reason could show the key
	}
	return newTransportKey(private), nil
}

func newTransportKey(private hpke.PrivateKey) *TransportKey {
	public := private.PublicKey()
	return &TransportKey{private: private, public: &TransportPublic{key: public, bytes: public.Bytes()}}
}

// Marshal returns the private half, for a keyring to wrap. The caller wipes it.
func (k *TransportKey) Marshal() (Secret, error) {
	b, err := k.private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("crypto: marshal a transport key: %w", err)
	}
	return bytes.Clone(b), nil // b is the key's own
}

// Public returns the public half.
func (k *TransportKey) Public() *TransportPublic { return k.public }

// Open returns what [TransportPublic.Seal] sealed for the same journey. The caller wipes it. Error: [ErrTransport].
func (k *TransportKey) Open(j Journey, message []byte) (Secret, error) {
	plaintext, err := hpke.Open(k.private, hpke.HKDFSHA256(), hpke.AES256GCM(), j.info(), message)
	if err != nil {
		return nil, ErrTransport
	}
	return plaintext, nil
}

// TransportPublic is the public half of a transport key.
type TransportPublic struct {
	key   hpke.PublicKey
	bytes []byte
}

// ParseTransportPublic reads a public half, TransportPublicBytes long. Error: [ErrTransportKey].
func ParseTransportPublic(b []byte) (*TransportPublic, error) {
	if len(b) != TransportPublicBytes {
		return nil, fmt.Errorf("%w: its public half has %d bytes, not %d", ErrTransportKey, len(b), TransportPublicBytes)
	}
	key, err := hpke.MLKEM768P256().NewPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: the public half is no pair of points", ErrTransportKey)
	}
	return &TransportPublic{key: key, bytes: key.Bytes()}, nil
}

// Bytes returns the public half as [ParseTransportPublic] reads it. It is shared: never modify it.
func (p *TransportPublic) Bytes() []byte { return p.bytes }

// Fingerprint is the SHA-256 of the public half: what peers pin.
func (p *TransportPublic) Fingerprint() [sha256.Size]byte { return sha256.Sum256(p.bytes) }

// Seal encrypts a message that opens for the same journey only.
func (p *TransportPublic) Seal(j Journey, plaintext []byte) ([]byte, error) {
	message, err := hpke.Seal(p.key, hpke.HKDFSHA256(), hpke.AES256GCM(), j.info(), plaintext)
	if err != nil {
		return nil, fmt.Errorf("crypto: seal under a transport key: %w", err)
	}
	return message, nil
}
