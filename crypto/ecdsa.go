package crypto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
)

type (
	p256Private struct{ key *ecdsa.PrivateKey }
	p256Public  struct{ key *ecdsa.PublicKey }
)

func generateP256() (*PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("crypto: generate a key pair of %v: %w", AlgorithmECP256, err)
	}
	return newP256(key)
}

// parseP256 reads PKCS#8. The error of a decoder may tell of the key, so it is left out.
func parseP256(material []byte) (*PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(material)
	if err != nil {
		return nil, fmt.Errorf("%w: no PKCS#8", ErrPrivateKey)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: no key of NIST P-256", ErrPrivateKey)
	}
	return newP256(key)
}

func newP256(key *ecdsa.PrivateKey) (*PrivateKey, error) {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: no point of NIST P-256", ErrPrivateKey)
	}
	public, err := newPointKey(AlgorithmECP256, &p256Public{&key.PublicKey}, point)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{half: &p256Private{key}, public: public}, nil
}

func parseP256Public(point []byte) (publicHalf, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, err
	}
	return &p256Public{key}, nil
}

func (k *p256Private) marshal() (Secret, error) { return x509.MarshalPKCS8PrivateKey(k.key) }

func (k *p256Private) sign(_ SignatureScheme, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, k.key, digest)
}

func (k *p256Private) decrypt(EncryptionScheme, []byte) (Secret, error) { return nil, ErrScheme }

func (p *p256Public) verify(_ SignatureScheme, digest, signature []byte) bool {
	return ecdsa.VerifyASN1(p.key, digest, signature)
}

func (p *p256Public) encrypt(EncryptionScheme, []byte) ([]byte, error) { return nil, ErrScheme }
