package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp256k1ecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
	"github.com/rogpeppe/go-internal/testscript"
)

// signedBy checks a signature, Base64 or bytes, without the service:
// signed PEM ALGORITHM MESSAGE SIGNATURE.
func signedBy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: signed PEM ALGORITHM MESSAGE SIGNATURE")
	}
	signature, err := signatureOf([]byte(ts.ReadFile(args[3])))
	ts.Check(err)
	ts.Check(checkSignature(args[1], derOf(ts, args[0]), []byte(ts.ReadFile(args[2])), signature))
}

var errWrongSignature = errors.New("the signature is wrong")

// checkSignature verifies with other code than that of package crypto where there
// is any.
func checkSignature(algorithm string, der, message, signature []byte) error {
	digest := sha256.Sum256(message)
	if algorithm == "SM2DSA" {
		public, err := smx509.ParsePKIXPublicKey(der)
		if err != nil {
			return err
		}
		if !sm2.VerifyASN1WithSM2(public.(*ecdsa.PublicKey), []byte("1234567812345678"), message, signature) {
			return errWrongSignature
		}
		return nil
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil && algorithm == "ECDSA_SHA_256" {
		return checkSecp256k1(der, digest[:], signature)
	}
	switch key := public.(type) {
	case *rsa.PublicKey:
		if algorithm == "RSA_PKCS1_SHA_256" {
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature)
		}
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest[:], signature) {
			return errWrongSignature
		}
		return nil
	}
	return fmt.Errorf("a public key of type %T: %w", public, err)
}

// checkSecp256k1 verifies with the uncompressed point that ends the DER.
func checkSecp256k1(der, digest, signature []byte) error {
	key, err := secp256k1.ParsePubKey(der[len(der)-65:])
	if err != nil {
		return err
	}
	parsed, err := secp256k1ecdsa.ParseDERSignature(signature)
	if err != nil {
		return err
	}
	if !parsed.Verify(digest, key) {
		return errWrongSignature
	}
	return nil
}
