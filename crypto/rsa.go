package crypto

import (
	stdcrypto "crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // of RSAESOAEPSHA1
	_ "crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

const (
	rsaExponent = 65537     // of our own keys, and the least of others'
	maxExponent = 1<<31 - 1 // the most that crypto/rsa takes
	pssSalt     = 32        // bytes, as long as the digest
)

// oaepHash returns the hash of an OAEP scheme, of its label and its mask.
func oaepHash(s EncryptionScheme) stdcrypto.Hash {
	if s == RSAESOAEPSHA1 {
		return stdcrypto.SHA1
	}
	return stdcrypto.SHA256
}

type (
	rsaPrivate struct{ key *rsa.PrivateKey }
	rsaPublic  struct{ key *rsa.PublicKey }
)

func generateRSA(a Algorithm) (*PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, a.info().rsaBits)
	if err != nil {
		return nil, fmt.Errorf("crypto: generate a key pair of %v: %w", a, err)
	}
	return newRSA(a, key)
}

// parseRSA reads PKCS#8. The error of a decoder may tell of the key, so it is left out.
func parseRSA(a Algorithm, material []byte) (*PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(material)
	if err != nil {
		return nil, fmt.Errorf("%w: no PKCS#8", ErrPrivateKey)
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: no RSA key", ErrPrivateKey)
	}
	bits := a.info().rsaBits
	switch {
	case key.N.BitLen() != bits:
		return nil, fmt.Errorf("%w: an RSA key of %d bits, not %d", ErrPrivateKey, key.N.BitLen(), bits)
	case key.E != rsaExponent:
		return nil, fmt.Errorf("%w: an RSA key with the exponent %d, not %d", ErrPrivateKey, key.E, rsaExponent)
	case len(key.Primes) != 2 || key.Primes[0].BitLen() != bits/2 || key.Primes[1].BitLen() != bits/2:
		return nil, fmt.Errorf("%w: an RSA key that is not of two primes of %d bits", ErrPrivateKey, bits/2)
	case key.Validate() != nil:
		return nil, fmt.Errorf("%w: an RSA key whose parts do not fit together", ErrPrivateKey)
	}
	return newRSA(a, key)
}

func newRSA(a Algorithm, key *rsa.PrivateKey) (*PrivateKey, error) {
	public, err := newRSAPublic(a, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{half: &rsaPrivate{key}, public: public}, nil
}

func newRSAPublic(a Algorithm, key *rsa.PublicKey) (*PublicKey, error) {
	return newPublicKey(a, &rsaPublic{key}, oidRSA, asn1.NullBytes, x509.MarshalPKCS1PublicKey(key))
}

func parseRSAPublic(a Algorithm, info subjectPublicKeyInfo) (*PublicKey, error) {
	if !info.Algorithm.Algorithm.Equal(oidRSA) {
		return nil, badPublicKey("no RSA key")
	}
	key, err := x509.ParsePKCS1PublicKey(info.PublicKey.Bytes)
	if err != nil {
		return nil, badPublicKey("an RSA key that is not in DER, or whose exponent is above %d", maxExponent)
	}
	switch bits := a.info().rsaBits; {
	case key.N.BitLen() != bits:
		return nil, badPublicKey("an RSA key of %d bits, not %d", key.N.BitLen(), bits)
	case key.N.Bit(0) == 0:
		return nil, badPublicKey("an RSA key with an even modulus")
	case key.E < rsaExponent:
		return nil, badPublicKey("an RSA key with the exponent %d, below %d", key.E, rsaExponent)
	case key.E%2 == 0:
		return nil, badPublicKey("an RSA key with an even exponent")
	case key.E > maxExponent:
		return nil, badPublicKey("an RSA key with an exponent above %d", maxExponent)
	}
	return newRSAPublic(a, key)
}

func (k *rsaPrivate) marshal() (Secret, error) { return x509.MarshalPKCS8PrivateKey(k.key) }

func (k *rsaPrivate) sign(s SignatureScheme, digest []byte) ([]byte, error) {
	if s == RSAPKCS1SHA256 {
		return rsa.SignPKCS1v15(nil, k.key, stdcrypto.SHA256, digest)
	}
	return rsa.SignPSS(rand.Reader, k.key, stdcrypto.SHA256, digest, &rsa.PSSOptions{SaltLength: pssSalt})
}

func (k *rsaPrivate) decrypt(s EncryptionScheme, ciphertext []byte) (Secret, error) {
	if len(ciphertext) != k.key.Size() { // a shorter one would be taken for a number with leading zeros
		return nil, ErrDecrypt
	}
	return k.key.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: oaepHash(s)})
}

// decryptPKCS1 decrypts material of a known size twice, each time with other random bytes in the place of a plaintext
// that is none: what does not come out the same is no material. The time taken is the same for both.
func (k *rsaPrivate) decryptPKCS1(ciphertext []byte, size int) (Secret, error) {
	if len(ciphertext) != k.key.Size() {
		return nil, ErrDecrypt
	}
	material, again := make(Secret, size), make(Secret, size)
	defer again.Wipe()
	for _, out := range []Secret{material, again} {
		rand.Read(out)
		//lint:ignore SA1019 people import with this scheme; the use is the one that its document allows
		if err := rsa.DecryptPKCS1v15SessionKey(nil, k.key, ciphertext, out); err != nil {
			material.Wipe()
			return nil, ErrDecrypt
		}
	}
	if !material.Equal(again) {
		material.Wipe()
		return nil, ErrDecrypt
	}
	return material, nil
}

func (p *rsaPublic) verify(s SignatureScheme, digest, signature []byte) bool {
	if s == RSAPKCS1SHA256 {
		return rsa.VerifyPKCS1v15(p.key, stdcrypto.SHA256, digest, signature) == nil
	}
	return rsa.VerifyPSS(p.key, stdcrypto.SHA256, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
}

func (p *rsaPublic) encrypt(s EncryptionScheme, plaintext []byte) ([]byte, error) {
	ciphertext, err := rsa.EncryptOAEP(oaepHash(s).New(), rand.Reader, p.key, plaintext, nil)
	if errors.Is(err, rsa.ErrMessageTooLong) {
		return nil, ErrPlaintextLength
	}
	return ciphertext, err
}
