package crypto

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

var (
	// ErrPublicKey says that bytes are no public key of the wanted kind. Its reason repeats nothing of them and can be
	// shown to whoever sent them.
	ErrPublicKey = errors.New("crypto: not a public key of this kind")
	// ErrPlaintextLength says that a plaintext is too long for the key and scheme, or empty where it must not be.
	ErrPlaintextLength = errors.New("crypto: the plaintext has a length that the key and scheme do not take")
)

// PublicKey is the public half of a key pair. It is safe for concurrent use.
type PublicKey struct {
	algorithm Algorithm
	half      publicHalf
	der       []byte
}

// publicHalf is what kinds of public keys do in their own ways. What it gets was checked: a scheme that the algorithm
// has and that is available, a digest of DigestBytes, a plaintext that fits.
type publicHalf interface {
	verify(s SignatureScheme, digest, signature []byte) bool
	encrypt(s EncryptionScheme, plaintext []byte) ([]byte, error)
}

// subjectPublicKeyInfo is that of RFC 5280 section 4.1.2.7.
type subjectPublicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	PublicKey asn1.BitString
}

var (
	oidRSA       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} // RFC 8017
	oidEC        = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}     // RFC 5480
	oidP256      = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}  // RFC 5480
	oidSecp256k1 = asn1.ObjectIdentifier{1, 3, 132, 0, 10}           // SEC 2
	oidSM2       = asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}   // GM/T 0006
)

// ParsePublicKey reads a SubjectPublicKeyInfo in DER, with nothing behind it. An RSA key has exactly the bits of its
// algorithm and an odd exponent from 65537 to 2^31-1; a point of an elliptic curve is uncompressed. Errors:
// [ErrPublicKey] with a reason, [ErrAlgorithm], [ErrNotApproved].
func ParsePublicKey(a Algorithm, der []byte) (*PublicKey, error) {
	if err := a.Available(); err != nil {
		return nil, err
	}
	var info subjectPublicKeyInfo
	rest, err := asn1.Unmarshal(der, &info)
	switch {
	case err != nil:
		return nil, badPublicKey("no SubjectPublicKeyInfo in DER")
	case len(rest) != 0:
		return nil, badPublicKey("%d bytes behind the SubjectPublicKeyInfo", len(rest))
	}
	var p *PublicKey
	switch a {
	case AlgorithmRSA2048, AlgorithmRSA3072:
		p, err = parseRSAPublic(a, info)
	case AlgorithmECP256, AlgorithmECP256K, AlgorithmSM2:
		p, err = parsePoint(a, info)
	default:
		return nil, fmt.Errorf("%w: %v has no public keys", ErrAlgorithm, a)
	}
	if err != nil {
		return nil, err
	}
	// One key has one form: this refuses bits that do not count, other parameters, and what else encoding/asn1 lets pass.
	if !bytes.Equal(p.der, der) {
		return nil, badPublicKey("no SubjectPublicKeyInfo in DER")
	}
	return p, nil
}

// badPublicKey returns ErrPublicKey with a reason.
func badPublicKey(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPublicKey}, args...)...)
}

// newPublicKey encodes a public key: an object identifier, its parameters in DER, and the bytes of the key.
func newPublicKey(a Algorithm, half publicHalf, oid asn1.ObjectIdentifier, parameters, key []byte) (*PublicKey, error) {
	der, err := asn1.Marshal(subjectPublicKeyInfo{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: parameters}},
		PublicKey: asn1.BitString{Bytes: key, BitLength: 8 * len(key)},
	})
	if err != nil {
		return nil, fmt.Errorf("crypto: encode a public key of %v: %w", a, err)
	}
	return &PublicKey{algorithm: a, half: half, der: der}, nil
}

// DER returns the SubjectPublicKeyInfo in DER.
func (p *PublicKey) DER() []byte { return bytes.Clone(p.der) }

// Algorithm returns what the key is.
func (p *PublicKey) Algorithm() Algorithm { return p.algorithm }

// Verify says whether signature is one of a digest of DigestBytes. Signatures of ECDSA and SM2 are in strict ASN.1 DER.
// Errors: [ErrScheme], [ErrDigestLength], [ErrNotApproved].
func (p *PublicKey) Verify(s SignatureScheme, digest, signature []byte) (bool, error) {
	if err := p.algorithm.signs(s, digest); err != nil {
		return false, err
	}
	return p.half.verify(s, digest, signature), nil
}

// Encrypt returns the ciphertext, whose length [Algorithm.CiphertextBytes] tells. Errors: [ErrScheme],
// [ErrPlaintextLength], [ErrNotApproved].
func (p *PublicKey) Encrypt(s EncryptionScheme, plaintext []byte) ([]byte, error) {
	if err := p.algorithm.encrypts(s); err != nil {
		return nil, err
	}
	if p.algorithm.CiphertextBytes(s, len(plaintext)) == 0 {
		return nil, ErrPlaintextLength
	}
	ciphertext, err := p.half.encrypt(s, plaintext)
	if err != nil {
		return nil, fmt.Errorf("crypto: encrypt with %v: %w", p.algorithm, err)
	}
	return ciphertext, nil
}
