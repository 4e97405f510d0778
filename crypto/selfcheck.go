package crypto

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
)

// ErrSelfCheck says that key material does not do what it is for.
var ErrSelfCheck = errors.New("crypto: key material fails its self-check")

// SelfCheck proves that material does what it is for, taken as Wrap gave it: a key version is checked as it will be
// stored. For a symmetric algorithm it seals and opens; for a key pair it uses each scheme that is available, with the
// public key as others get it. An RSA key takes some private operations, milliseconds each. Errors: [ErrSelfCheck],
// [ErrUnwrap], [ErrKeyringClosed], [ErrAlgorithm], [ErrNotApproved].
func (k *Keyring) SelfCheck(b Binding, wrapped []byte) error {
	if err := b.Algorithm.Available(); err != nil {
		return err
	}
	material, err := k.Unwrap(b, wrapped)
	if err != nil {
		return err
	}
	defer material.Wipe()
	if b.Algorithm.Symmetric() {
		err = checkCipher(b.Algorithm, material)
	} else {
		err = checkPair(b.Algorithm, material)
	}
	if err != nil {
		return fmt.Errorf("%w: %v: %w", ErrSelfCheck, b.Algorithm, err)
	}
	return nil
}

// randomText returns so many random bytes.
func randomText(n int) []byte {
	text := make([]byte, n)
	rand.Read(text)
	return text
}

func checkCipher(a Algorithm, material []byte) error {
	x, err := NewCipher(a, material)
	if err != nil {
		return err
	}
	text, aad := randomText(DigestBytes), randomText(DigestBytes)
	sealed := x.Seal(nil, text, aad)
	opened, err := x.Open(nil, sealed, aad)
	if err != nil {
		return err
	}
	if !bytes.Equal(opened, text) {
		return errors.New("a text opens to another")
	}
	aad[0] ^= 1
	if _, err := x.Open(nil, sealed, aad); err == nil {
		return errors.New("a text opens under other AAD")
	}
	return nil
}

func checkPair(a Algorithm, material []byte) error {
	private, err := ParsePrivateKey(a, material)
	if err != nil {
		return err
	}
	public, err := ParsePublicKey(a, private.Public().DER())
	if err != nil {
		return err
	}
	for _, s := range a.SignatureSchemes() {
		if s.Available() != nil {
			continue
		}
		if err := checkSignature(private, public, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	for _, s := range a.EncryptionSchemes() {
		if s.Available() != nil {
			continue
		}
		if err := checkEncryption(private, public, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func checkSignature(private *PrivateKey, public *PublicKey, s SignatureScheme) error {
	digest := randomText(DigestBytes)
	signature, err := private.Sign(s, digest)
	if err != nil {
		return err
	}
	if ok, err := public.Verify(s, digest, signature); err != nil || !ok {
		return errors.Join(errors.New("a signature does not verify"), err)
	}
	digest[0] ^= 1
	if ok, err := public.Verify(s, digest, signature); err != nil || ok {
		return errors.Join(errors.New("a signature verifies for another digest"), err)
	}
	return nil
}

func checkEncryption(private *PrivateKey, public *PublicKey, s EncryptionScheme) error {
	text := randomText(DigestBytes)
	ciphertext, err := public.Encrypt(s, text)
	if err != nil {
		return err
	}
	decrypted, err := private.Decrypt(s, ciphertext)
	if err != nil {
		return err
	}
	if !decrypted.Equal(text) {
		return errors.New("a text decrypts to another")
	}
	return nil
}
