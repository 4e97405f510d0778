package crypto

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

const (
	// sm2Overhead is how much longer a ciphertext of SM2PKE is than its plaintext: the point C1 and the digest C3.
	sm2Overhead = pointBytes + sm3.Size
	// maxSM2Plaintext is the API's limit, in bytes: a ciphertext of 6144.
	maxSM2Plaintext = 6144 - sm2Overhead
)

type (
	sm2Private struct {
		key    *sm2.PrivateKey
		scalar Secret // of scalarBytes
	}
	sm2Public struct{ key *ecdsa.PublicKey }
)

func generateSM2() (*PrivateKey, error) {
	key, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("crypto: generate a key pair of %v: %w", AlgorithmSM2, err)
	}
	return newSM2(key)
}

// parseSM2 reads a scalar from 1 to the order of the curve less two (GB/T 32918.1 section 6.1).
func parseSM2(material []byte) (*PrivateKey, error) {
	key, err := sm2.NewPrivateKey(material)
	if err != nil {
		return nil, fmt.Errorf("%w: no scalar of SM2", ErrPrivateKey)
	}
	return newSM2(key)
}

func newSM2(key *sm2.PrivateKey) (*PrivateKey, error) {
	pair, err := key.ECDH() // the only type of the library that tells its bytes
	if err != nil {
		return nil, fmt.Errorf("%w: no key of SM2", ErrPrivateKey)
	}
	public, err := newPointKey(AlgorithmSM2, &sm2Public{&key.PublicKey}, pair.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{half: &sm2Private{key, pair.Bytes()}, public: public}, nil
}

func parseSM2Public(point []byte) (publicHalf, error) {
	key, err := sm2.NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return &sm2Public{key}, nil
}

func (k *sm2Private) marshal() (Secret, error) { return append(Secret(nil), k.scalar...), nil }

func (k *sm2Private) sign(_ SignatureScheme, digest []byte) ([]byte, error) {
	return sm2.SignASN1(rand.Reader, k.key, digest, nil)
}

func (p *sm2Public) verify(_ SignatureScheme, digest, signature []byte) bool {
	return sm2.VerifyASN1(p.key, digest, signature)
}

// Encryption and decryption are GB/T 32918.4 over the library's arithmetic, and not the library's own (v0.41.1). That
// encrypts what nobody can decrypt where it has drawn twice, because a mask was all zeros, and it refuses a ciphertext
// whose C2 is all zeros, where the standard refuses such a mask. Each happens to one plaintext of one byte in 256. It
// also reads other forms of a ciphertext than the one that the API has.

// encrypt is section 6.1.
func (p *sm2Public) encrypt(_ EncryptionScheme, plaintext []byte) ([]byte, error) {
	for {
		ephemeral, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		ciphertext, err := p.encryptWith(ephemeral, plaintext)
		if ciphertext != nil || err != nil {
			return ciphertext, err
		}
	}
}

// encryptWith encrypts with the sender's key of one message. It returns nil if that gives a mask of zeros.
func (p *sm2Public) encryptWith(ephemeral *sm2.PrivateKey, plaintext []byte) ([]byte, error) {
	pair, err := ephemeral.ECDH()
	if err != nil {
		return nil, err
	}
	scalar := Secret(pair.Bytes())
	defer scalar.Wipe()
	shared := sm2Shared(p.key, scalar)
	defer shared.Wipe()
	mask, zeros := sm2Mask(shared, len(plaintext))
	if zeros == 1 {
		return nil, nil
	}
	subtle.XORBytes(mask, mask, plaintext)
	return slices.Concat(pair.PublicKey().Bytes(), sm2Digest(shared, plaintext), mask), nil
}

// decrypt is section 7.1.
func (k *sm2Private) decrypt(_ EncryptionScheme, ciphertext []byte) (Secret, error) {
	size := len(ciphertext) - sm2Overhead
	if size < 1 || size > maxSM2Plaintext {
		return nil, ErrDecrypt
	}
	c1, c3, c2 := ciphertext[:pointBytes], ciphertext[pointBytes:sm2Overhead], ciphertext[sm2Overhead:]
	point, err := sm2.NewPublicKey(c1) // refuses what is not uncompressed or not on the curve
	if err != nil {
		return nil, ErrDecrypt
	}
	shared := sm2Shared(point, k.scalar)
	defer shared.Wipe()
	plaintext, zeros := sm2Mask(shared, size)
	subtle.XORBytes(plaintext, plaintext, c2)
	if subtle.ConstantTimeCompare(sm2Digest(shared, plaintext), c3)&^zeros != 1 {
		plaintext.Wipe()
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// sm2Shared returns the coordinates x2 and y2 of the point that sender and receiver have in common.
func sm2Shared(point *ecdsa.PublicKey, scalar []byte) Secret {
	//lint:ignore SA1019 the curve is the library's own, in constant time, and it offers no other way to both coordinates
	x, y := point.ScalarMult(point.X, point.Y, scalar)
	shared := make(Secret, 2*scalarBytes)
	x.FillBytes(shared[:scalarBytes])
	y.FillBytes(shared[scalarBytes:])
	return shared
}

// sm2Mask derives what hides a plaintext of so many bytes; zeros is 1 if it hides nothing.
func sm2Mask(shared Secret, size int) (mask Secret, zeros int) {
	mask = sm3.Kdf(shared, size)
	bits := byte(0)
	for _, b := range mask {
		bits |= b
	}
	return mask, subtle.ConstantTimeByteEq(bits, 0)
}

// sm2Digest returns C3.
func sm2Digest(shared Secret, plaintext []byte) []byte {
	h := sm3.New()
	h.Write(shared[:scalarBytes])
	h.Write(plaintext)
	h.Write(shared[scalarBytes:])
	return h.Sum(nil)
}
