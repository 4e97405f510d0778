package crypto

import (
	"errors"
	"fmt"
)

var (
	// ErrPrivateKey says that bytes are no material of such a key pair.
	ErrPrivateKey = errors.New("crypto: not the material of such a key pair")
	// ErrDecrypt says that a ciphertext does not decrypt. The causes cannot be told apart.
	ErrDecrypt = errors.New("crypto: the ciphertext does not decrypt under this key and scheme")
	// ErrDigestLength says that a digest does not have DigestBytes.
	ErrDigestLength = fmt.Errorf("crypto: the digest does not have %d bytes", DigestBytes)
)

// PrivateKey is an asymmetric key pair, ready to use. It is safe for concurrent use and redacts itself.
type PrivateKey struct {
	half   privateHalf
	public *PublicKey
}

// privateHalf is what kinds of key pairs do in their own ways. What it gets was checked: a scheme that the algorithm has
// and that is available, a digest of DigestBytes.
type privateHalf interface {
	marshal() (Secret, error)
	sign(s SignatureScheme, digest []byte) ([]byte, error)
	decrypt(s EncryptionScheme, ciphertext []byte) (Secret, error)
}

// Format implements [fmt.Formatter]; it shows nothing of the key.
func (k *PrivateKey) Format(f fmt.State, _ rune) { redact(f) }

// GenerateKey makes a new key pair. It takes microseconds for the elliptic curves; for RSA tens to hundreds of
// milliseconds, with a long tail. Errors: [ErrAlgorithm], [ErrNotApproved].
func GenerateKey(a Algorithm) (*PrivateKey, error) {
	if err := a.Available(); err != nil {
		return nil, err
	}
	switch a {
	case AlgorithmRSA2048, AlgorithmRSA3072:
		return generateRSA(a)
	case AlgorithmECP256:
		return generateP256()
	case AlgorithmECP256K:
		return generateSecp256k1()
	case AlgorithmSM2:
		return generateSM2()
	}
	return nil, fmt.Errorf("%w: %v has no key pairs", ErrAlgorithm, a)
}

// ParsePrivateKey reads and checks what [PrivateKey.Marshal] wrote. The bytes are copied; wiping them is the caller's.
// Errors: [ErrPrivateKey], [ErrAlgorithm], [ErrNotApproved].
func ParsePrivateKey(a Algorithm, material []byte) (*PrivateKey, error) {
	if err := a.Available(); err != nil {
		return nil, err
	}
	var k *PrivateKey
	var err error
	switch a {
	case AlgorithmRSA2048, AlgorithmRSA3072:
		k, err = parseRSA(a, material)
	case AlgorithmECP256:
		k, err = parseP256(material)
	case AlgorithmECP256K:
		k, err = parseSecp256k1(material)
	case AlgorithmSM2:
		k, err = parseSM2(material)
	default:
		return nil, fmt.Errorf("%w: %v has no key pairs", ErrAlgorithm, a)
	}
	if err != nil {
		return nil, err
	}
	// One key has one form: a second spelling would be a change that nobody notices.
	again, err := k.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPrivateKey, a)
	}
	defer again.Wipe()
	if !again.Equal(material) {
		return nil, fmt.Errorf("%w: %v, in another encoding", ErrPrivateKey, a)
	}
	return k, nil
}

// Marshal returns the material of the key pair, for a keyring to wrap: PKCS#8 DER for RSA and P-256, the scalar of 32
// bytes, big-endian, for secp256k1 and SM2. The caller wipes it.
func (k *PrivateKey) Marshal() (Secret, error) { return k.half.marshal() }

// Algorithm returns what the key pair is.
func (k *PrivateKey) Algorithm() Algorithm { return k.public.algorithm }

// Public returns the public key.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// Sign signs a digest of DigestBytes. Errors: [ErrScheme], [ErrDigestLength], [ErrNotApproved].
func (k *PrivateKey) Sign(s SignatureScheme, digest []byte) ([]byte, error) {
	if err := k.Algorithm().signs(s, digest); err != nil {
		return nil, err
	}
	signature, err := k.half.sign(s, digest)
	if err != nil {
		return nil, fmt.Errorf("crypto: sign with %v: %w", k.Algorithm(), err)
	}
	return signature, nil
}

// Decrypt returns the plaintext, which the caller wipes. Errors: [ErrScheme], [ErrNotApproved], and [ErrDecrypt] for
// whatever is wrong with the ciphertext.
func (k *PrivateKey) Decrypt(s EncryptionScheme, ciphertext []byte) (Secret, error) {
	if err := k.Algorithm().encrypts(s); err != nil {
		return nil, err
	}
	plaintext, err := k.half.decrypt(s, ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// minImportBytes is the least size of imported key material: two draws of random material that stand in for a bad
// ciphertext must not be the same by chance.
const minImportBytes = 16

// DecryptImport returns imported key material of exactly size bytes, 16 or more, which the caller wipes. Besides the
// schemes of [PrivateKey.Decrypt], an RSA key takes [RSAESPKCS1v15]. Whether a ciphertext fails under that one tells
// about its content (RFC 8017 section 7.2), so the caller gives this key up after a failure: who can ask many times
// learns what any ciphertext holds. Errors: [ErrScheme], [ErrNotApproved], and [ErrDecrypt] for whatever is wrong with
// the ciphertext.
func (k *PrivateKey) DecryptImport(s EncryptionScheme, ciphertext []byte, size int) (Secret, error) {
	if size < minImportBytes {
		return nil, fmt.Errorf("crypto: imported key material of %d bytes, fewer than %d", size, minImportBytes)
	}
	if s == RSAESPKCS1v15 {
		return k.decryptPKCS1(ciphertext, size)
	}
	material, err := k.Decrypt(s, ciphertext)
	if err != nil {
		return nil, err
	}
	if len(material) != size {
		material.Wipe()
		return nil, ErrDecrypt
	}
	return material, nil
}

func (k *PrivateKey) decryptPKCS1(ciphertext []byte, size int) (Secret, error) {
	pair, ok := k.half.(*rsaPrivate)
	if !ok {
		return nil, ErrScheme
	}
	if err := RSAESPKCS1v15.Available(); err != nil {
		return nil, err
	}
	return pair.decryptPKCS1(ciphertext, size)
}
