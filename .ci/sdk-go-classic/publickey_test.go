package classic

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	secp256k1 "github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp256k1ecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// publicKey is the public half of a key version, read outside the service. For secp256k1 and SM2 that is with the libraries
// that the service uses as well; OpenSSL and another SM2 judge those with the other SDKs.
type publicKey struct {
	rsa  *rsa.PublicKey
	ec   *ecdsa.PublicKey // P-256 or SM2
	k256 *secp256k1.PublicKey
}

// parsePublicKey reads PEM with exactly one SubjectPublicKeyInfo.
func parsePublicKey(text string) (publicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) > 0 {
		return publicKey{}, fmt.Errorf("%q is no single PUBLIC KEY in PEM", text)
	}
	return parsePublicKeyInfo(block.Bytes)
}

var (
	oidPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidSecp256k1 = asn1.ObjectIdentifier{1, 3, 132, 0, 10}
)

// parsePublicKeyInfo reads a SubjectPublicKeyInfo in DER.
func parsePublicKeyInfo(der []byte) (publicKey, error) {
	if key, err := parseSecp256k1(der); err == nil {
		return publicKey{k256: key}, nil
	}
	key, err := smx509.ParsePKIXPublicKey(der)
	if err != nil {
		return publicKey{}, err
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return publicKey{rsa: key}, nil
	case *ecdsa.PublicKey:
		return publicKey{ec: key}, nil
	default:
		return publicKey{}, fmt.Errorf("a public key of type %T", key)
	}
}

func parseSecp256k1(der []byte) (*secp256k1.PublicKey, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	var curve asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return nil, errors.Join(err, errors.New("not a SubjectPublicKeyInfo"))
	}
	if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &curve); err != nil {
		return nil, err
	}
	if !info.Algorithm.Algorithm.Equal(oidPublicKey) || !curve.Equal(oidSecp256k1) {
		return nil, errors.New("another curve")
	}
	return secp256k1.ParsePubKey(info.Key.RightAlign())
}

// verify checks a signature of a digest.
func (k publicKey) verify(algorithm string, digest, signature []byte) error {
	switch {
	case algorithm == "RSA_PSS_SHA_256" && k.rsa != nil:
		return rsa.VerifyPSS(k.rsa, crypto.SHA256, digest, signature, &rsa.PSSOptions{SaltLength: sha256.Size})
	case algorithm == "RSA_PKCS1_SHA_256" && k.rsa != nil:
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest, signature)
	case algorithm == "ECDSA_SHA_256" && k.k256 != nil:
		parsed, err := secp256k1ecdsa.ParseDERSignature(signature)
		if err == nil && !parsed.Verify(digest, k.k256) {
			err = errors.New("the signature is wrong")
		}
		return err
	case algorithm == "ECDSA_SHA_256" && k.ec != nil && ecdsa.VerifyASN1(k.ec, digest, signature),
		algorithm == "SM2DSA" && k.ec != nil && sm2.VerifyASN1(k.ec, digest, signature):
		return nil
	default:
		return fmt.Errorf("the signature is wrong, or the key is not one for %s", algorithm)
	}
}

// encrypt encrypts as a client does that has the public key alone.
func (k publicKey) encrypt(algorithm string, text []byte) ([]byte, error) {
	switch {
	case algorithm == "RSAES_OAEP_SHA_256" && k.rsa != nil:
		return rsa.EncryptOAEP(sha256.New(), rand.Reader, k.rsa, text, nil)
	case algorithm == "RSAES_OAEP_SHA_1" && k.rsa != nil:
		return rsa.EncryptOAEP(sha1.New(), rand.Reader, k.rsa, text, nil)
	case algorithm == "RSAES_PKCS1_V1_5" && k.rsa != nil:
		//lint:ignore SA1019 it is one of the wrappings that the API has
		return rsa.EncryptPKCS1v15(rand.Reader, k.rsa, text)
	case algorithm == "SM2PKE" && k.ec != nil:
		return sm2.Encrypt(rand.Reader, k.ec, text, nil)
	default:
		return nil, fmt.Errorf("the key is not one for %s", algorithm)
	}
}
