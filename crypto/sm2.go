package crypto

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/subtle"
	"fmt"

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

// decrypt is GB/T 32918.4 section 7.1 over the library's arithmetic. The library's own decryption (v0.41.1) refuses a
// ciphertext whose C2 is all zeros, where the standard refuses a mask of zeros: of plaintexts of one byte it would lose
// one in 256. It also takes other forms of a ciphertext than the one that the API has.
func (k *sm2Private) decrypt(_ EncryptionScheme, ciphertext []byte) (Secret, error) {
	size := len(ciphertext) - sm2Overhead
	if size < 1 || size > maxSM2Plaintext || ciphertext[0] != uncompressed {
		return nil, ErrDecrypt
	}
	c1, c3, c2 := ciphertext[:pointBytes], ciphertext[pointBytes:sm2Overhead], ciphertext[sm2Overhead:]
	point, err := sm2.NewPublicKey(c1) // refuses what is not on the curve
	if err != nil {
		return nil, ErrDecrypt
	}
	//lint:ignore SA1019 the curve is the library's own, in constant time, and it offers no other way to both coordinates
	x, y := point.ScalarMult(point.X, point.Y, k.scalar)
	shared := make(Secret, 2*scalarBytes)
	defer shared.Wipe()
	x.FillBytes(shared[:scalarBytes])
	y.FillBytes(shared[scalarBytes:])

	plaintext := Secret(sm3.Kdf(shared, size))
	masked := byte(0)
	for _, b := range plaintext {
		masked |= b
	}
	subtle.XORBytes(plaintext, plaintext, c2)
	h := sm3.New()
	h.Write(shared[:scalarBytes])
	h.Write(plaintext)
	h.Write(shared[scalarBytes:])
	if subtle.ConstantTimeCompare(h.Sum(nil), c3)&(1-subtle.ConstantTimeByteEq(masked, 0)) != 1 {
		plaintext.Wipe()
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

func (p *sm2Public) verify(_ SignatureScheme, digest, signature []byte) bool {
	return sm2.VerifyASN1(p.key, digest, signature)
}

func (p *sm2Public) encrypt(_ EncryptionScheme, plaintext []byte) ([]byte, error) {
	return sm2.Encrypt(rand.Reader, p.key, plaintext, sm2.NewPlainEncrypterOpts(sm2.MarshalUncompressed, sm2.C1C3C2))
}
