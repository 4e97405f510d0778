package v3

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"

	kms "github.com/alibabacloud-go/kms-20160120/v3/client"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/tjfoc/gmsm/sm2"
	smx509 "github.com/tjfoc/gmsm/x509"
)

const (
	encrypts = "ENCRYPT/DECRYPT"
	signs    = "SIGN/VERIFY"
)

// use is a spec with a usage and an algorithm that it then has.
type use struct{ spec, usage, algorithm string }

var uses = []use{
	{"RSA_2048", signs, "RSA_PSS_SHA_256"}, {"RSA_2048", signs, "RSA_PKCS1_SHA_256"},
	{"RSA_3072", signs, "RSA_PSS_SHA_256"}, {"RSA_3072", signs, "RSA_PKCS1_SHA_256"},
	{"EC_P256", signs, "ECDSA_SHA_256"}, {"EC_P256K", signs, "ECDSA_SHA_256"}, {"EC_SM2", signs, "SM2DSA"},
	{"RSA_2048", encrypts, "RSAES_OAEP_SHA_256"}, {"RSA_2048", encrypts, "RSAES_OAEP_SHA_1"},
	{"RSA_3072", encrypts, "RSAES_OAEP_SHA_256"}, {"RSA_3072", encrypts, "RSAES_OAEP_SHA_1"},
	{"EC_SM2", encrypts, "SM2PKE"},
}

// asymmetricKeys uses each spec with each of its algorithms, on each node. Go's own library judges RSA and P-256, and
// SM2 the one that Alibaba's own SDKs use, which is not the service's; secp256k1 is judged with the other SDKs.
func asymmetricKeys(c, _ *caller) {
	keys := make(map[use]keyPair) // one for each spec and usage
	for _, u := range uses {
		kind := use{u.spec, u.usage, ""}
		if _, ok := keys[kind]; !ok {
			keys[kind] = newKeyPair(c, u.spec, u.usage)
		}
		for range c.clients {
			if u.usage == signs {
				keys[kind].signs(c, u.algorithm)
			} else {
				keys[kind].encrypts(c, u.algorithm)
			}
		}
	}
}

// keyPair is an asymmetric key of the service with one version.
type keyPair struct {
	alias, id, version string
	der                []byte // its public half, a SubjectPublicKeyInfo
}

func newKeyPair(c *caller, spec, usage string) keyPair {
	c.Helper()
	made := c.createKey(&kms.CreateKeyRequest{KeySpec: &spec, KeyUsage: &usage})
	if tea.StringValue(made.KeySpec) != spec || tea.StringValue(made.KeyUsage) != usage || tea.StringValue(made.PrimaryKeyVersion) != "" {
		c.Errorf("CreateKey answers %v", made)
	}
	key := keyPair{alias: "alias/v3-" + randomHex(8), id: tea.StringValue(made.KeyId)}
	c.createAlias(key.alias, key.id)
	versions := c.versions(key.alias)
	if len(versions) != 1 {
		c.Fatalf("a new key has the versions %v", versions)
	}
	key.version = versions[0]
	key.der = key.public(c)
	return key
}

// public asks each node for the public key, and insists on one answer.
func (k keyPair) public(c *caller) (der []byte) {
	c.Helper()
	for range c.clients {
		answer := must(c, (*kms.Client).GetPublicKey, &kms.GetPublicKeyRequest{KeyId: &k.id, KeyVersionId: &k.version}).Body
		block, _ := pem.Decode([]byte(tea.StringValue(answer.PublicKey)))
		if block == nil || block.Type != "PUBLIC KEY" || (der != nil && !bytes.Equal(block.Bytes, der)) {
			c.Fatalf("the public key is no PEM, or another one: %s", tea.StringValue(answer.PublicKey))
		}
		der = block.Bytes
	}
	return der
}

func (k keyPair) signs(c *caller, algorithm string) {
	c.Helper()
	digest := k.digest(c, algorithm, c.random(100))
	answer := must(c, (*kms.Client).AsymmetricSign, &kms.AsymmetricSignRequest{
		KeyId: &k.alias, KeyVersionId: &k.version, Algorithm: &algorithm, Digest: encode(digest)}).Body
	if tea.StringValue(answer.KeyId) != k.id || tea.StringValue(answer.KeyVersionId) != k.version {
		c.Errorf("AsymmetricSign answers %v", answer)
	}
	if err := verify(k.der, algorithm, digest, c.decode(answer.Value)); err != nil {
		c.Errorf("%s: %v", algorithm, err)
	}
	for range c.clients {
		k.verifies(c, algorithm, digest, answer.Value, true)
	}
	k.verifies(c, algorithm, digest, encode(c.random(70)), false)
	k.verifies(c, algorithm, digest, encode(append(c.decode(answer.Value), 0)), false)
	digest[0] ^= 1
	k.verifies(c, algorithm, digest, answer.Value, false)
	refused(c, (*kms.Client).AsymmetricSign, &kms.AsymmetricSignRequest{
		KeyId: &k.id, KeyVersionId: &k.version, Algorithm: &algorithm, Digest: encode(digest[1:])}, http.StatusBadRequest, "InvalidParameter")
}

func (k keyPair) verifies(c *caller, algorithm string, digest []byte, signature *string, want bool) {
	c.Helper()
	answer := must(c, (*kms.Client).AsymmetricVerify, &kms.AsymmetricVerifyRequest{
		KeyId: &k.alias, KeyVersionId: &k.version, Algorithm: &algorithm, Digest: encode(digest), Value: signature}).Body
	if answer.Value == nil || *answer.Value != want {
		c.Errorf("%s: AsymmetricVerify answers %v, want %v", algorithm, answer, want)
	}
}

// digest is what the algorithm signs of a message.
func (k keyPair) digest(c *caller, algorithm string, message []byte) []byte {
	c.Helper()
	if algorithm != "SM2DSA" {
		digest := sha256.Sum256(message)
		return digest[:]
	}
	short, err := k.sm2(c).Sm3Digest(message, nil) // the library leaves zeros out at the front
	if err != nil {
		c.Fatal(err)
	}
	digest := make([]byte, 32)
	copy(digest[32-len(short):], short)
	return digest
}

func (k keyPair) sm2(c *caller) *sm2.PublicKey {
	c.Helper()
	key, err := smx509.ParseSm2PublicKey(k.der)
	if err != nil {
		c.Fatal(err)
	}
	return key
}

// verify checks a signature outside, where a library knows the curve.
func verify(der []byte, algorithm string, digest, signature []byte) error {
	if algorithm == "SM2DSA" {
		return verifySM2(der, digest, signature)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil && algorithm == "ECDSA_SHA_256" {
		return nil // secp256k1
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if algorithm == "RSA_PSS_SHA_256" {
			return rsa.VerifyPSS(key, crypto.SHA256, digest, signature, nil)
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature)
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(key, digest, signature) {
			return nil
		}
		return errors.New("the signature is wrong")
	default:
		return fmt.Errorf("a public key of type %T (%v)", key, err)
	}
}

func verifySM2(der, digest, signature []byte) error {
	key, err := smx509.ParseSm2PublicKey(der)
	if err != nil {
		return err
	}
	var parts struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &parts); err != nil || len(rest) > 0 {
		return fmt.Errorf("the signature is no pair of numbers in DER: %v", err)
	}
	if !sm2.Verify(key, digest, parts.R, parts.S) {
		return errors.New("the signature is wrong")
	}
	return nil
}

func (k keyPair) encrypts(c *caller, algorithm string) {
	c.Helper()
	text := []byte("a data key of thirty-two bytes..")
	sealed := must(c, (*kms.Client).AsymmetricEncrypt, &kms.AsymmetricEncryptRequest{
		KeyId: &k.alias, KeyVersionId: &k.version, Algorithm: &algorithm, Plaintext: encode(text)}).Body.CiphertextBlob
	outside := k.outside(c, algorithm, text)
	for _, blob := range [][]byte{c.decode(sealed), outside} {
		request := &kms.AsymmetricDecryptRequest{KeyId: &k.id, KeyVersionId: &k.version, Algorithm: &algorithm, CiphertextBlob: encode(blob)}
		if got := c.decode(must(c, (*kms.Client).AsymmetricDecrypt, request).Body.Plaintext); !bytes.Equal(got, text) {
			c.Errorf("%s: opens to %x", algorithm, got)
		}
		blob[len(blob)-1] ^= 1
		request.CiphertextBlob = encode(blob)
		refused(c, (*kms.Client).AsymmetricDecrypt, request, http.StatusBadRequest, "InvalidParameter")
	}
}

// outside encrypts with the public key alone.
func (k keyPair) outside(c *caller, algorithm string, text []byte) []byte {
	c.Helper()
	if algorithm != "SM2PKE" {
		return encryptOAEP(c, k.der, algorithm, text)
	}
	sealed, err := sm2.Encrypt(k.sm2(c), text, rand.Reader, sm2.C1C3C2)
	if err != nil {
		c.Fatal(err)
	}
	return sealed
}

// encryptOAEP encrypts as a client does that has the public key alone.
func encryptOAEP(c *caller, der []byte, algorithm string, text []byte) []byte {
	c.Helper()
	key, err := x509.ParsePKIXPublicKey(der)
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		c.Fatalf("a public key of type %T (%v)", key, err)
	}
	hash := sha256.New()
	if algorithm == "RSAES_OAEP_SHA_1" {
		hash = sha1.New()
	}
	sealed, err := rsa.EncryptOAEP(hash, rand.Reader, public, text, nil)
	if err != nil {
		c.Fatal(err)
	}
	return sealed
}
