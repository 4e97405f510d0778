package crypto

import (
	"crypto/rand"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// The library multiplies points and inverts scalars in a time that depends on them, and would sign the same digest with
// the same nonce each time, so that whoever asks often learns of it. So signing is ours over its arithmetic (SEC 1
// section 4.1.3): a fresh nonce for each signature, and each secret goes into what takes a variable time only in parts
// or products that are random. There is no other maintained library of this curve in Go alone.
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
	half := &secp256k1Public{secp256k1Point(&key.Key)}
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
	var e secp256k1.ModNScalar
	e.SetByteSlice(digest) // 32 bytes, as long as the order of the curve
	secret := k.key.Key.Bytes()
	defer clear(secret[:])
	for {
		var extra [scalarBytes]byte
		rand.Read(extra[:])
		nonce := secp256k1.NonceRFC6979(secret[:], digest, extra[:], nil, 0)
		signature, ok := k.signWith(nonce, &e)
		nonce.Zero()
		if ok {
			return signature, nil
		}
	}
}

// signWith signs with a nonce, and reports false for one in an endless number that gives no signature. Of the two
// values that s may have it takes the lower; both verify, as in ordinary ECDSA.
func (k *secp256k1Private) signWith(nonce, e *secp256k1.ModNScalar) (signature []byte, ok bool) {
	var r, s secp256k1.ModNScalar
	x := secp256k1Point(nonce).SerializeCompressed()[1:]
	r.SetByteSlice(x) // modulo the order
	blind := randomScalar()
	defer blind.Zero()
	s.Mul2(nonce, blind).InverseNonConst().Mul(blind) // 1/nonce
	var product secp256k1.ModNScalar
	defer product.Zero()
	s.Mul(product.Mul2(&r, &k.key.Key).Add(e))
	if r.IsZero() || s.IsZero() {
		return nil, false
	}
	if s.IsOverHalfOrder() {
		s.Negate()
	}
	return ecdsa.NewSignature(&r, &s).Serialize(), true
}

// secp256k1Point multiplies the base point by a scalar, in two parts of which each is random.
func secp256k1Point(scalar *secp256k1.ModNScalar) *secp256k1.PublicKey {
	part := randomScalar()
	defer part.Zero()
	var rest secp256k1.ModNScalar
	defer rest.Zero()
	rest.NegateVal(part).Add(scalar)
	var a, b, sum secp256k1.JacobianPoint
	secp256k1.ScalarBaseMultNonConst(part, &a)
	secp256k1.ScalarBaseMultNonConst(&rest, &b)
	secp256k1.AddNonConst(&a, &b, &sum)
	sum.ToAffine()
	return secp256k1.NewPublicKey(&sum.X, &sum.Y)
}

// randomScalar returns a scalar that is not zero, each as likely as the others.
func randomScalar() *secp256k1.ModNScalar {
	var b [scalarBytes]byte
	defer clear(b[:])
	for {
		rand.Read(b[:])
		scalar := new(secp256k1.ModNScalar)
		if overflow := scalar.SetBytes(&b); overflow == 0 && !scalar.IsZero() {
			return scalar
		}
	}
}

func (k *secp256k1Private) decrypt(EncryptionScheme, []byte) (Secret, error) { return nil, ErrScheme }

func (p *secp256k1Public) verify(_ SignatureScheme, digest, signature []byte) bool {
	// Strict: shortest lengths and integers, nothing behind, both numbers from 1 to the order of the curve less one.
	parsed, err := ecdsa.ParseDERSignature(signature)
	return err == nil && parsed.Verify(digest, p.key)
}

func (p *secp256k1Public) encrypt(EncryptionScheme, []byte) ([]byte, error) { return nil, ErrScheme }
