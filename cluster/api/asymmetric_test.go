package api

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	meridian "meridian/crypto"
)

// pair makes a key pair and returns the parameters that name it.
func (h *harness) pair(tb testing.TB, spec, usage, algorithm string) params {
	tb.Helper()
	key := h.sharedKey(tb, spec, usage)
	return params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key), "Algorithm": algorithm}
}

// publicKey reads the public half with the standard library.
func (h *harness) publicKey(tb testing.TB, p params) any {
	tb.Helper()
	block, rest := pem.Decode([]byte(h.ok(tb, "GetPublicKey", with(p, "Algorithm", "-")).text("PublicKey")))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) != 0 {
		tb.Fatalf("no PEM: %v", block)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	return public
}

// Every algorithm that signs is right for its digest alone, and the standard library agrees where it knows the curve.
func TestSignatures(t *testing.T) {
	h := newHarness(t, Limits{})
	digest := sha256.Sum256([]byte("hello"))
	outside := map[string]func(public any, signature []byte) bool{
		"RSA_PSS_SHA_256": func(public any, s []byte) bool {
			return rsa.VerifyPSS(public.(*rsa.PublicKey), crypto.SHA256, digest[:], s, &rsa.PSSOptions{SaltLength: 32}) == nil
		},
		"RSA_PKCS1_SHA_256": func(public any, s []byte) bool {
			return rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), crypto.SHA256, digest[:], s) == nil
		},
		"EC_P256": func(public any, s []byte) bool { return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], s) },
	}
	for spec, algorithms := range map[string][]string{
		"RSA_2048": {"RSA_PSS_SHA_256", "RSA_PKCS1_SHA_256"}, "RSA_3072": {"RSA_PSS_SHA_256", "RSA_PKCS1_SHA_256"},
		"EC_P256": {"ECDSA_SHA_256"}, "EC_P256K": {"ECDSA_SHA_256"}, "EC_SM2": {"SM2DSA"},
	} {
		for _, algorithm := range algorithms {
			p := with(h.pair(t, spec, usageSign, algorithm), "Digest", b64(string(digest[:])))
			signed := h.ok(t, "AsymmetricSign", p)
			signature := unb64(t, signed.text("Value"))
			verify := outside[algorithm]
			if verify == nil {
				verify = outside[spec]
			}
			if verify != nil && !verify(h.publicKey(t, with(p, "Digest", "-")), signature) {
				t.Errorf("%s %s: the standard library refuses the signature", spec, algorithm)
			}
			for what, c := range map[string]struct {
				digest, value []byte
				want          bool
			}{
				"itself":          {digest[:], signature, true},
				"another digest":  {make([]byte, 32), signature, false},
				"a changed bit":   {digest[:], flipped(signature), false},
				"cut short":       {digest[:], signature[:len(signature)-1], false},
				"a byte too many": {digest[:], append(append([]byte{}, signature...), 0), false},
			} {
				r := h.ok(t, "AsymmetricVerify", with(p, "Digest", b64(string(c.digest)), "Value", b64(string(c.value))))
				if got, ok := r.body["Value"].(bool); !ok || got != c.want {
					t.Errorf("%s %s, %s: %v, want %v", spec, algorithm, what, r.body["Value"], c.want)
				}
			}
		}
	}
}

func flipped(b []byte) []byte {
	b = append([]byte{}, b...)
	b[len(b)/2] ^= 1
	return b
}

// Every algorithm that encrypts opens what it made, as long as a plaintext may be; a byte more is refused; everything that
// does not decrypt has one answer.
func TestEncryptionWithPairs(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, c := range []struct {
		spec, algorithm  string
		most, ciphertext int
	}{
		{"RSA_2048", "RSAES_OAEP_SHA_256", 190, 256}, {"RSA_2048", "RSAES_OAEP_SHA_1", 214, 256},
		{"RSA_3072", "RSAES_OAEP_SHA_256", 318, 384}, {"RSA_3072", "RSAES_OAEP_SHA_1", 342, 384},
		{"EC_SM2", "SM2PKE", 6047, 6144},
	} {
		p := h.pair(t, c.spec, usageEncrypt, c.algorithm)
		plaintext := strings.Repeat("x", c.most)
		sealed := h.ok(t, "AsymmetricEncrypt", with(p, "Plaintext", b64(plaintext)))
		blob := unb64(t, sealed.text("CiphertextBlob"))
		if len(blob) != c.ciphertext {
			t.Errorf("%v: %d bytes", c, len(blob))
		}
		if opened := h.ok(t, "AsymmetricDecrypt", with(p, "CiphertextBlob", b64(string(blob)))); string(unb64(t, opened.text("Plaintext"))) != plaintext {
			t.Errorf("%v: opened as something else", c)
		}
		if r := h.fails(t, CodeInvalidParameter, "AsymmetricEncrypt", with(p, "Plaintext", b64(plaintext+"x"))); !strings.Contains(r.message(), decimal(int64(c.most))) {
			t.Errorf("%v: %s", c, r.message())
		}
		for what, text := range map[string]string{
			"a changed bit": b64(string(flipped(blob))), "cut short": b64(string(blob[:len(blob)-1])), "a byte too many": b64(string(blob) + "x"),
			"one byte": "AA==", "zeros": zeros(int64(len(blob))),
		} {
			if r := h.fails(t, CodeInvalidParameter, "AsymmetricDecrypt", with(p, "CiphertextBlob", text)); r.message() != errNotDecrypted().Message {
				t.Errorf("%v, %s: %s", c, what, r.message())
			}
		}
		for _, text := range []string{"AA=", "A?==", "AB==", "AA=\n=\n\n\n"} { // says nothing about the ciphertext
			if r := h.fails(t, CodeInvalidParameter, "AsymmetricDecrypt", with(p, "CiphertextBlob", text)); !strings.Contains(r.message(), errBase64) {
				t.Errorf("%v, %q: %s", c, text, r.message())
			}
		}
	}
	// What the caller encrypts with the public half opens here.
	p := h.pair(t, "RSA_2048", usageEncrypt, "RSAES_OAEP_SHA_256")
	blob, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, h.publicKey(t, p).(*rsa.PublicKey), []byte("hello"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := h.ok(t, "AsymmetricDecrypt", with(p, "CiphertextBlob", b64(string(blob)))); string(unb64(t, r.text("Plaintext"))) != "hello" {
		t.Error(r.raw)
	}
	if r := h.fails(t, CodeInvalidParameter, "AsymmetricDecrypt", with(p, "CiphertextBlob", b64(string(blob)), "Algorithm", "RSAES_OAEP_SHA_1")); r.message() != errNotDecrypted().Message {
		t.Error(r.message())
	}
}

// A key is for one usage and for the algorithms of its spec.
func TestPairsDoOnlyWhatTheyAreFor(t *testing.T) {
	h := newHarness(t, Limits{})
	signing, sealing := h.pair(t, "RSA_2048", usageSign, ""), h.pair(t, "RSA_2048", usageEncrypt, "")
	symmetric := h.newKey(t)
	version := h.newestVersion(t, symmetric)
	for _, c := range []struct {
		action string
		p      params
		code   string
	}{
		{"AsymmetricSign", with(sealing, "Algorithm", "RSA_PSS_SHA_256", "Digest", testDigest), CodeRejectedUnsupportedOperation},
		{"AsymmetricVerify", with(sealing, "Algorithm", "RSA_PSS_SHA_256", "Digest", testDigest, "Value", "AA=="), CodeRejectedUnsupportedOperation},
		{"AsymmetricEncrypt", with(signing, "Algorithm", "RSAES_OAEP_SHA_256", "Plaintext", "AA=="), CodeRejectedUnsupportedOperation},
		{"AsymmetricDecrypt", with(signing, "Algorithm", "RSAES_OAEP_SHA_256", "CiphertextBlob", "AA=="), CodeRejectedUnsupportedOperation},
		{"AsymmetricSign", with(signing, "Algorithm", "ECDSA_SHA_256", "Digest", testDigest), CodeInvalidParameter},
		{"AsymmetricSign", with(signing, "Algorithm", "SM2DSA", "Digest", testDigest), CodeInvalidParameter},
		{"AsymmetricVerify", with(signing, "Algorithm", "SM2DSA", "Digest", testDigest, "Value", "AA=="), CodeInvalidParameter},
		{"AsymmetricEncrypt", with(sealing, "Algorithm", "SM2PKE", "Plaintext", "AA=="), CodeInvalidParameter},
		{"AsymmetricDecrypt", with(sealing, "Algorithm", "SM2PKE", "CiphertextBlob", "AA=="), CodeInvalidParameter},
		{"GetPublicKey", params{"KeyId": symmetric, "KeyVersionId": version}, CodeRejectedUnsupportedOperation},
		{"AsymmetricSign", params{"KeyId": symmetric, "KeyVersionId": version, "Algorithm": "ECDSA_SHA_256", "Digest": testDigest}, CodeRejectedUnsupportedOperation},
		{"AsymmetricSign", with(signing, "KeyVersionId", version, "Algorithm", "RSA_PSS_SHA_256", "Digest", testDigest), CodeForbiddenKeyVersionNotFound},
	} {
		h.fails(t, c.code, c.action, c.p)
	}
}

// A data key that was encrypted under a public key here goes on under a symmetric one, without being shown.
func TestReEncryptFromPair(t *testing.T) {
	h := newHarness(t, Limits{})
	p, destination := h.pair(t, "RSA_2048", usageEncrypt, "RSAES_OAEP_SHA_256"), h.newKey(t)
	blob := h.ok(t, "AsymmetricEncrypt", with(p, "Plaintext", b64("hello"))).text("CiphertextBlob")
	move := params{
		"CiphertextBlob": blob, "SourceKeyId": p["KeyId"], "SourceKeyVersionId": p["KeyVersionId"], "SourceEncryptionAlgorithm": p["Algorithm"],
		"DestinationKeyId": destination, "DestinationEncryptionContext": `{"a":"b"}`,
	}
	moved := h.ok(t, "ReEncrypt", move)
	if moved.text("KeyId") != destination {
		t.Error(moved.raw)
	}
	opened := h.ok(t, "Decrypt", params{"CiphertextBlob": moved.text("CiphertextBlob"), "EncryptionContext": `{"a":"b"}`})
	if string(unb64(t, opened.text("Plaintext"))) != "hello" {
		t.Error(opened.raw)
	}
	h.fails(t, CodeDryRunOperationError, "ReEncrypt", with(move, "DryRun", "true"))
	for _, name := range []string{"SourceKeyId", "SourceKeyVersionId", "SourceEncryptionAlgorithm"} {
		if r := h.fails(t, CodeMissingParameter, "ReEncrypt", with(move, name, "-")); !strings.Contains(r.message(), name) {
			t.Error(r.message())
		}
	}
	if r := h.fails(t, CodeInvalidParameter, "ReEncrypt", with(move, "CiphertextBlob", b64(string(flipped(unb64(t, blob)))))); r.message() != errNotDecrypted().Message {
		t.Error(r.message())
	}
	h.fails(t, CodeForbiddenKeyVersionNotFound, "ReEncrypt", with(move, "SourceKeyVersionId", "11111111-2222-4333-8444-555555555555"))
	h.fails(t, CodeForbiddenKeyVersionNotFound, "ReEncrypt", with(move, "SourceKeyVersionId", "none"))
	h.fails(t, CodeInvalidParameter, "ReEncrypt", with(move, "SourceEncryptionContext", `{"a":"b"}`))
	h.fails(t, CodeInvalidParameter, "ReEncrypt", with(move, "SourceEncryptionAlgorithm", "SM2PKE"))
	h.fails(t, CodeUnsupportedOperation, "ReEncrypt", with(move, "DestinationKeyId", p["KeyId"]))
	signing := h.pair(t, "RSA_2048", usageSign, "")
	h.fails(t, CodeUnsupportedOperation, "ReEncrypt", with(move, "SourceKeyId", signing["KeyId"], "SourceKeyVersionId", signing["KeyVersionId"]))
	// Anything that is not wholly a blob of ours is a ciphertext of the pair's.
	h.fails(t, CodeInvalidParameter, "ReEncrypt", with(move, "CiphertextBlob", h.encrypt(t, destination, "hello")))
}

// Versions of a pair: each signs, none is the primary one, and a signature is of its version alone.
func TestVersionsOfPairs(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKeyOf(t, "EC_P256", "")
	first := h.newestVersion(t, key)
	h.clock.advance(1e9)
	second := h.ok(t, "CreateKeyVersion", params{"KeyId": key}).text("KeyVersion.KeyVersionId")
	sign := params{"KeyId": key, "KeyVersionId": first, "Algorithm": "ECDSA_SHA_256", "Digest": testDigest}
	signature := h.ok(t, "AsymmetricSign", sign).text("Value")
	for version, want := range map[string]bool{first: true, second: false} {
		r := h.ok(t, "AsymmetricVerify", with(sign, "KeyVersionId", version, "Value", signature))
		if r.body["Value"] != want {
			t.Errorf("version %s: %s", version, r.raw)
		}
	}
	metadata := h.ok(t, "DescribeKey", params{"KeyId": key}).body["KeyMetadata"].(map[string]any)
	if _, there := metadata["PrimaryKeyVersion"]; there || metadata["KeyUsage"] != usageSign {
		t.Errorf("%v", metadata)
	}
}

// No spec is without an algorithm, and each is made with each of its usages.
func TestKeySpecs(t *testing.T) {
	for _, spec := range keySpecs {
		possible := usages(spec.algorithm)
		if len(possible) == 0 || spec.algorithm.Symmetric() != (spec.name == specAES256 || spec.name == specSM4) {
			t.Errorf("%s: %v", spec.name, possible)
		}
	}
	if algorithmOf("none") != 0 || algorithmOf(specRSA3072) != meridian.AlgorithmRSA3072 {
		t.Error("algorithmOf")
	}
	h := newHarness(t, Limits{})
	for spec, want := range map[string]string{
		"Aliyun_AES_256": usageEncrypt, "Aliyun_SM4": usageEncrypt, "RSA_2048": usageEncrypt, "EC_P256": usageSign, "EC_P256K": usageSign, "EC_SM2": usageEncrypt,
	} {
		r := h.ok(t, "CreateKey", params{"KeySpec": spec})
		if r.text("KeyMetadata.KeyUsage") != want || r.text("KeyMetadata.KeySpec") != spec {
			t.Errorf("%s: %s", spec, r.raw)
		}
	}
	// SM4 seals and opens as AES does.
	key := h.sharedKey(t, "Aliyun_SM4", "")
	blob := h.encrypt(t, key, "hello", "EncryptionContext", `{"a":"b"}`)
	if r := h.ok(t, "Decrypt", params{"CiphertextBlob": blob, "EncryptionContext": `{"a":"b"}`}); r.text("Plaintext") != b64("hello") || r.text("KeyId") != key {
		t.Error(r.raw)
	}
	h.fails(t, CodeInvalidParameter, "Decrypt", params{"CiphertextBlob": blob})
	if strict, err := base64.StdEncoding.DecodeString(blob); err != nil || strict[1] != byte(meridian.AlgorithmXSM4GCM) {
		t.Errorf("%v %v", strict[:2], err)
	}
}

// Only who may use a key that works takes a slot; who is refused never waits for one, nor keeps one from others.
func TestRefusalsTakeNoSlot(t *testing.T) {
	h := newHarness(t, Limits{})
	p := with(h.pair(t, "EC_P256", usageSign, "ECDSA_SHA_256"), "Digest", testDigest)
	slots := h.server.asymmetric
	for range slots.slots {
		if _, err := slots.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.fails(t, CodeForbiddenKeyNotFound, "AsymmetricSign", with(p, "KeyId", "11111111-2222-4333-8444-555555555555"))
	h.fails(t, CodeInvalidParameter, "AsymmetricSign", with(p, "Algorithm", "SM2DSA"))
	h.fails(t, CodeDryRunOperationError, "AsymmetricSign", with(p, "DryRun", "true"))
	h.ok(t, "GetPublicKey", with(p, "Algorithm", "-", "Digest", "-"))
	h.ok(t, "Encrypt", params{"KeyId": h.newKey(t), "Plaintext": "AA=="})
	h.identity.Root = false
	h.fails(t, CodeForbiddenNoPermission, "AsymmetricSign", p)
	h.identity.Root = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := h.request(wire{method: "POST"}, "AsymmetricSign", p).WithContext(ctx)
	if got := h.send(t, h.server, wire{method: "POST"}, r); got.code != CodeServiceUnavailableTemporary {
		t.Errorf("who may sign waits for a slot: %s", got.raw)
	}
	for range slots.slots {
		slots.release()
	}
	h.ok(t, "AsymmetricSign", p)
}

// A key that is disabled while its pair works gives no answer.
func TestStateIsJudgedAfterTheWork(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, action := range []string{"AsymmetricSign", "AsymmetricEncrypt", "AsymmetricDecrypt", "GetPublicKey"} {
		p := scenes[action](t, h)
		h.between = func() { h.between = nil; h.ok(t, "DisableKey", params{"KeyId": p["KeyId"]}) }
		h.fails(t, CodeRejectedDisabled, action, p)
	}
	p := h.pair(t, "RSA_2048", usageEncrypt, "RSAES_OAEP_SHA_256")
	blob := h.ok(t, "AsymmetricEncrypt", with(p, "Plaintext", b64("hello"))).text("CiphertextBlob")
	h.between = func() { h.between = nil; h.ok(t, "DisableKey", params{"KeyId": p["KeyId"]}) }
	h.fails(t, CodeRejectedDisabled, "ReEncrypt", params{
		"CiphertextBlob": blob, "SourceKeyId": p["KeyId"], "SourceKeyVersionId": p["KeyVersionId"], "SourceEncryptionAlgorithm": p["Algorithm"], "DestinationKeyId": h.newKey(t),
	})
}
