package crypto

import (
	"crypto/rand"
	"fmt"
)

// Cipher seals and opens under one symmetric key version, and is safe for concurrent use. *[XAES] and *[XSM4] are
// ciphers and nothing else is.
type Cipher interface {
	// Algorithm returns what the cipher is.
	Algorithm() Algorithm
	// Seal encrypts plaintext, authenticates it with aad, and appends a nonce of NonceBytes, ciphertext and tag to dst.
	// The room behind dst must not overlap plaintext or aad.
	Seal(dst, plaintext, aad []byte) []byte
	// Open appends to dst the plaintext of what Seal made from it under the same key and aad. It fails with [ErrOpen] and
	// nothing else. The room behind dst must not overlap sealed or aad.
	Open(dst, sealed, aad []byte) ([]byte, error)

	seal(w *workspace, dst, plaintext, aad []byte) []byte
	open(w *workspace, dst, sealed, aad []byte) ([]byte, error)
}

// NewCipher prepares the material of a key version, which is not kept. Errors: [ErrAlgorithm], [ErrNotApproved], or
// material of another length.
func NewCipher(a Algorithm, material []byte) (Cipher, error) {
	switch a {
	case AlgorithmXAES256GCM:
		x, err := NewXAES(material)
		if err != nil {
			return nil, err // and not a nil *XAES in a Cipher
		}
		return x, nil
	case AlgorithmXSM4GCM:
		x, err := NewXSM4(material)
		if err != nil {
			return nil, err
		}
		return x, nil
	}
	return nil, fmt.Errorf("%w: %v seals nothing", ErrAlgorithm, a)
}

// NewMaterial returns random material for a new version of a symmetric key. For any other algorithm it is empty: see
// [GenerateKey].
func NewMaterial(a Algorithm) Secret {
	material := make(Secret, a.MaterialBytes())
	rand.Read(material)
	return material
}
