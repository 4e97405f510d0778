package crypto

import (
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// The library signs with nonces of RFC 6979 and always with the lower of the two values that s may have; both verify,
// as in ordinary ECDSA. Its arithmetic is not in constant time: who could time single signatures at nanoseconds might
// learn of the key. There is no other maintained one in Go alone.
type (
	secp256k1Private struct{ key *secp256k1.PrivateKey }
	secp256k1Public  struct{ key *secp256k1.PublicKey }
)

func generateSecp256k1() (*PrivateKey, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, fmt.Errorf("crypto: generate a key pair of %v: %w", AlgorithmECP256K, err)
	}
	return newSecp256k1(key)
}

func parseSecp256k1(material []byte) (*PrivateKey, error) {
	var scalar secp256k1.ModNScalar
	// SetByteSlice cuts what is longer and reduces what is too large, which is why it is asked.
	if len(material) != scalarBytes || scalar.SetByteSlice(material) || scalar.IsZero() {
		return nil, fmt.Errorf("%w: no scalar of secp256k1", ErrPrivateKey)
	}
	return newSecp256k1(secp256k1.NewPrivateKey(&scalar))
}

func newSecp256k1(key *secp256k1.PrivateKey) (*PrivateKey, error) {
	half := &secp256k1Public{key.PubKey()}
	public, err := newPointKey(AlgorithmECP256K, half, half.key.SerializeUncompressed())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{half: &secp256k1Private{key}, public: public}, nil
}

func parseSecp256k1Public(point []byte) (publicHalf, error) {
	key, err := secp256k1.ParsePubKey(point)
	if err != nil {
		return nil, err
	}
	return &secp256k1Public{key}, nil
}

func (k *secp256k1Private) marshal() (Secret, error) { return k.key.Serialize(), nil }

func (k *secp256k1Private) sign(_ SignatureScheme, digest []byte) ([]byte, error) {
	return ecdsa.Sign(k.key, digest).Serialize(), nil
}

func (k *secp256k1Private) decrypt(EncryptionScheme, []byte) (Secret, error) { return nil, ErrScheme }

func (p *secp256k1Public) verify(_ SignatureScheme, digest, signature []byte) bool {
	// Strict: shortest lengths and integers, nothing behind, both numbers from 1 to the order of the curve less one.
	parsed, err := ecdsa.ParseDERSignature(signature)
	return err == nil && parsed.Verify(digest, p.key)
}

func (p *secp256k1Public) encrypt(EncryptionScheme, []byte) ([]byte, error) { return nil, ErrScheme }
