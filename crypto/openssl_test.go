//go:build openssl

package crypto

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// These tests ask the openssl command whether it understands the package, and the package whether it understands
// openssl: go test -tags openssl ./crypto -run OpenSSL. Keys, signatures and ciphertexts pass in the forms of the API.

// openssl is the command with a folder for its files.
type openssl struct {
	t      *testing.T
	folder string
}

func newOpenSSL(t *testing.T) openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatalf("this test was asked for, and there is no openssl: %v", err)
	}
	return openssl{t, t.TempDir()}
}

func (o openssl) path(name string) string { return filepath.Join(o.folder, name) }

func (o openssl) write(name string, data []byte) {
	o.t.Helper()
	if err := os.WriteFile(o.path(name), data, 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o openssl) read(name string) []byte {
	o.t.Helper()
	data, err := os.ReadFile(o.path(name))
	if err != nil {
		o.t.Fatal(err)
	}
	return data
}

// run runs openssl in the folder and says whether it succeeded.
func (o openssl) run(args ...string) ([]byte, bool) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = o.folder
	out, err := cmd.CombinedOutput()
	return out, err == nil
}

func (o openssl) must(args ...string) {
	o.t.Helper()
	if out, ok := o.run(args...); !ok {
		o.t.Fatalf("openssl %q: %s", args, out)
	}
}

// export returns the key pair in a form that openssl reads: PKCS#8, for a scalar around the key of SEC 1, section C.4.
func export(t *testing.T, k *PrivateKey) []byte {
	t.Helper()
	material := mustMarshal(t, k)
	if a := k.Algorithm(); a != AlgorithmECP256K && a != AlgorithmSM2 {
		return material
	}
	oid, _ := k.Algorithm().curve()
	parameters := mustDER(t, oid)
	der := k.Public().DER()
	point := der[len(der)-pointBytes:]
	inner := mustDER(t, struct {
		Version    int
		PrivateKey []byte
		PublicKey  asn1.BitString `asn1:"explicit,tag:1"`
	}{1, material, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	return mustDER(t, struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: oidEC, Parameters: asn1.RawValue{FullBytes: parameters}}, inner})
}

func mustDER(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// keys writes both halves of a key pair for openssl: private.pem and public.pem.
func (o openssl) keys(k *PrivateKey) {
	o.t.Helper()
	o.write("private.der", export(o.t, k))
	o.write("public.der", k.Public().DER())
	o.must("pkey", "-inform", "DER", "-in", "private.der", "-out", "private.pem")
	o.must("pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem")
}

// signatureOptions are openssl's words for the schemes whose digest is SHA-256.
var signatureOptions = map[SignatureScheme][]string{
	RSAPSSSHA256:   {"-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:32", "-pkeyopt", "rsa_mgf1_md:sha256"},
	RSAPKCS1SHA256: {"-pkeyopt", "digest:sha256", "-pkeyopt", "rsa_padding_mode:pkcs1"},
	ECDSASHA256:    {"-pkeyopt", "digest:sha256"},
}

func TestOpenSSLSignatures(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		if k.Algorithm() == AlgorithmSM2 {
			t.Skip("TestOpenSSLSM2Signatures does this: openssl makes the digest of SM2 itself")
		}
		o := newOpenSSL(t)
		o.keys(k)
		digest := sha256.Sum256([]byte("a message"))
		o.write("digest", digest[:])
		for _, s := range k.Algorithm().SignatureSchemes() {
			o.write("signature", mustSign(t, k, s, digest[:]))
			verify := append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "digest", "-sigfile", "signature"}, signatureOptions[s]...)
			o.must(verify...)
			o.must(append([]string{"pkeyutl", "-sign", "-inkey", "private.pem", "-in", "digest", "-out", "signature"}, signatureOptions[s]...)...)
			if !verifies(t, k.Public(), s, digest[:], o.read("signature")) {
				t.Errorf("%s: a signature of openssl does not verify", s)
			}
			signature := mustSign(t, k, s, digest[:])
			signature[len(signature)-1] ^= 1
			o.write("signature", signature)
			if out, ok := o.run(verify...); ok {
				t.Errorf("%s: openssl takes a changed signature: %s", s, out)
			}
		}
	})
}

func TestOpenSSLSM2Signatures(t *testing.T) {
	k := testPair(t, AlgorithmSM2)
	o := newOpenSSL(t)
	o.keys(k)
	message := []byte("a message")
	za, err := sm2.CalculateZA(k.public.half.(*sm2Public).key, []byte("1234567812345678"))
	if err != nil {
		t.Fatal(err)
	}
	digest := sm3.Sum(append(za, message...))
	o.write("message", message)
	id := []string{"-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"}
	o.write("signature", mustSign(t, k, SM2DSA, digest[:]))
	o.must(append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "message", "-sigfile", "signature"}, id...)...)
	o.must(append([]string{"pkeyutl", "-sign", "-inkey", "private.pem", "-in", "message", "-out", "signature"}, id...)...)
	if !verifies(t, k.Public(), SM2DSA, digest[:], o.read("signature")) {
		t.Error("a signature of openssl does not verify")
	}
}

// encryptionOptions are openssl's words for the schemes of RSA.
var encryptionOptions = map[EncryptionScheme][]string{
	RSAESOAEPSHA256: {"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"},
	RSAESOAEPSHA1:   {"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1", "-pkeyopt", "rsa_mgf1_md:sha1"},
	RSAESPKCS1v15:   {"-pkeyopt", "rsa_padding_mode:pkcs1"},
}

func TestOpenSSLRSAEncryption(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmRSA2048, AlgorithmRSA3072} {
		k := testPair(t, a)
		o := newOpenSSL(t)
		o.keys(k)
		material := counting(0x30, 32)
		o.write("material", material)
		for s, options := range encryptionOptions {
			o.must(append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "material", "-out", "ciphertext"}, options...)...)
			if got, err := k.DecryptImport(s, o.read("ciphertext"), 32); err != nil || !got.Equal(material) {
				t.Errorf("%v, %s: what openssl encrypted gives %d bytes, %v", a, s, len(got), err)
			}
			if s == RSAESPKCS1v15 {
				continue
			}
			if got, err := k.Decrypt(s, o.read("ciphertext")); err != nil || !got.Equal(material) {
				t.Errorf("%v, %s: what openssl encrypted decrypts to %d bytes, %v", a, s, len(got), err)
			}
			o.write("ciphertext", mustEncrypt(t, k.Public(), s, material))
			o.must(append([]string{"pkeyutl", "-decrypt", "-inkey", "private.pem", "-in", "ciphertext", "-out", "plaintext"}, options...)...)
			if !bytes.Equal(o.read("plaintext"), material) {
				t.Errorf("%v, %s: openssl decrypts to something else", a, s)
			}
		}
	}
}

// openssl has SM2 ciphertexts in ASN.1 (GM/T 0009), the API as plain bytes. The parts are the same.
func TestOpenSSLSM2Encryption(t *testing.T) {
	k := testPair(t, AlgorithmSM2)
	o := newOpenSSL(t)
	o.keys(k)
	for _, size := range []int{1, 32, 1000} {
		text := counting(0x30, size)
		o.write("text", text)
		o.must("pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "text", "-out", "ciphertext")
		plain, err := sm2.ASN1Ciphertext2Plain(o.read("ciphertext"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Decrypt(SM2PKE, plain); err != nil || !got.Equal(text) {
			t.Errorf("%d bytes: what openssl encrypted decrypts to %d bytes, %v", size, len(got), err)
		}
		der, err := sm2.PlainCiphertext2ASN1(mustEncrypt(t, k.Public(), SM2PKE, text), sm2.C1C3C2)
		if err != nil {
			t.Fatal(err)
		}
		o.write("ciphertext", der)
		o.must("pkeyutl", "-decrypt", "-inkey", "private.pem", "-in", "ciphertext", "-out", "plaintext")
		if !bytes.Equal(o.read("plaintext"), text) {
			t.Errorf("%d bytes: openssl decrypts to something else", size)
		}
	}
}

// openssl reads our public keys as they are, and we its.
func TestOpenSSLPublicKeys(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		o := newOpenSSL(t)
		o.keys(k)
		o.must("pkey", "-pubin", "-in", "public.pem", "-outform", "DER", "-out", "again.der")
		o.must("pkey", "-in", "private.pem", "-pubout", "-outform", "DER", "-out", "derived.der")
		for _, name := range []string{"again.der", "derived.der"} {
			p, err := ParsePublicKey(k.Algorithm(), o.read(name))
			if err != nil || !bytes.Equal(p.DER(), k.Public().DER()) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
