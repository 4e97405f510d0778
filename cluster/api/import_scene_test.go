package api

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"sync"
	"testing"
)

// testTarget is a key pair of the caller's own, to export to.
var testTarget = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// testPublicKey is the public half of testTarget as calls send it.
func testPublicKey(tb testing.TB) string {
	tb.Helper()
	pair, err := testTarget()
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(pair.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// importParams asks for the parameters of an import and returns those of ImportKeyMaterial, as a caller makes them.
func (h *harness) importParams(tb testing.TB, key, scheme, material string, more ...string) params {
	tb.Helper()
	r := h.ok(tb, "GetParametersForImport", params{"KeyId": key, "WrappingAlgorithm": scheme, "WrappingKeySpec": "RSA_2048"})
	public, err := x509.ParsePKIXPublicKey(unb64(tb, r.text("PublicKey")))
	if err != nil {
		tb.Fatal(err)
	}
	var encrypted []byte
	switch scheme {
	case "RSAES_OAEP_SHA_256":
		encrypted, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), []byte(material), nil)
	case "RSAES_OAEP_SHA_1":
		encrypted, err = rsa.EncryptOAEP(sha1.New(), rand.Reader, public.(*rsa.PublicKey), []byte(material), nil)
	case "RSAES_PKCS1_V1_5":
		//lint:ignore SA1019 callers use it
		encrypted, err = rsa.EncryptPKCS1v15(rand.Reader, public.(*rsa.PublicKey), []byte(material))
	}
	if err != nil {
		tb.Fatal(err)
	}
	p := params{"KeyId": key, "ImportToken": r.text("ImportToken"), "EncryptedKeyMaterial": base64.StdEncoding.EncodeToString(encrypted)}
	return with(p, more...)
}

// importedKey makes a key with imported material.
func (h *harness) importedKey(tb testing.TB) string {
	tb.Helper()
	key := h.keyIn(tb, "PendingImport")
	h.ok(tb, "ImportKeyMaterial", h.importParams(tb, key, "RSAES_OAEP_SHA_256", testMaterial))
	return key
}
