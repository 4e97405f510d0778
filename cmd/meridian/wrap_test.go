package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// wrapMaterial encrypts key material as an HSM would: wrap PEM ALGORITHM MATERIAL OUT.
func wrapMaterial(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: wrap PEM ALGORITHM MATERIAL OUT")
	}
	parsed, err := x509.ParsePKIXPublicKey(derOf(ts, args[0]))
	ts.Check(err)
	public, material := parsed.(*rsa.PublicKey), []byte(ts.ReadFile(args[2]))
	var wrapped []byte
	switch args[1] {
	case "oaep-sha256":
		wrapped, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, public, material, nil)
	case "oaep-sha1":
		wrapped, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, public, material, nil)
	case "pkcs1":
		//lint:ignore SA1019 key material may come so
		wrapped, err = rsa.EncryptPKCS1v15(rand.Reader, public, material)
	default:
		ts.Fatalf("there is no algorithm %s", args[1])
	}
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), wrapped, 0o600))
}

// derOf is the public key in a PEM file.
func derOf(ts *testscript.TestScript, path string) []byte {
	block, rest := pem.Decode([]byte(ts.ReadFile(path)))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		ts.Fatalf("%s is not one public key in PEM", path)
	}
	return block.Bytes
}
