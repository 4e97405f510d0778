package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"hash"
	"strings"
	"testing"

	"meridian/crypto"
)

// What is exported is the data key itself, under the caller's public key.
func TestExport(t *testing.T) {
	h := newHarness(t, Limits{})
	pair, err := testTarget()
	if err != nil {
		t.Fatal(err)
	}
	key := h.newKey(t)
	for scheme, hash := range map[string]hash.Hash{"RSAES_OAEP_SHA_256": sha256.New(), "RSAES_OAEP_SHA_1": sha1.New()} {
		p := params{"PublicKeyBlob": testPublicKey(t), "WrappingAlgorithm": scheme, "WrappingKeySpec": "RSA_2048", "EncryptionContext": `{"a":"b"}`}
		blob := h.encrypt(t, key, "hello", "EncryptionContext", `{"a":"b"}`)
		r := h.ok(t, "ExportDataKey", with(p, "CiphertextBlob", blob))
		exported, err := rsa.DecryptOAEP(hash, nil, pair, unb64(t, r.text("ExportedDataKey")), nil)
		if err != nil || string(exported) != "hello" || r.text("KeyId") != key {
			t.Errorf("%s: %v %s", scheme, err, r.raw)
		}
		h.fails(t, CodeInvalidParameter, "ExportDataKey", with(p, "CiphertextBlob", blob, "EncryptionContext", "{}"))

		r = h.ok(t, "GenerateAndExportDataKey", with(p, "KeyId", key, "KeySpec", "AES_128"))
		exported, err = rsa.DecryptOAEP(hash, nil, pair, unb64(t, r.text("ExportedDataKey")), nil)
		opened := h.ok(t, "Decrypt", params{"CiphertextBlob": r.text("CiphertextBlob"), "EncryptionContext": `{"a":"b"}`})
		if err != nil || len(exported) != 16 || opened.text("Plaintext") != b64(string(exported)) {
			t.Errorf("%s: %v %s", scheme, err, r.raw)
		}
	}
}

// A data key that the public key cannot carry is refused before anything is opened.
func TestExportFits(t *testing.T) {
	h := newHarness(t, Limits{})
	p := params{"KeyId": h.newKey(t), "PublicKeyBlob": testPublicKey(t), "WrappingKeySpec": "RSA_2048"}
	for scheme, most := range map[string]int{"RSAES_OAEP_SHA_256": 190, "RSAES_OAEP_SHA_1": 214} {
		p := with(p, "WrappingAlgorithm", scheme)
		h.ok(t, "GenerateAndExportDataKey", with(p, "NumberOfBytes", decimal(int64(most))))
		h.fails(t, CodeInvalidParameter, "GenerateAndExportDataKey", with(p, "NumberOfBytes", decimal(int64(most+1))))
		h.ok(t, "ExportDataKey", with(p, "CiphertextBlob", h.encrypt(t, p["KeyId"], strings.Repeat("x", most))))
		if r := h.fails(t, CodeInvalidParameter, "ExportDataKey", with(p, "CiphertextBlob", h.encrypt(t, p["KeyId"], strings.Repeat("x", most+1)))); !strings.Contains(r.message(), decimal(int64(most))) {
			t.Error(r.message())
		}
	}
}

// Public keys that are none, too weak, or of another kind.
func TestExportToBadKeys(t *testing.T) {
	h := newHarness(t, Limits{})
	der := func(public any) string {
		b, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		return b64(string(b))
	}
	long, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := testPublicKey(t)
	pair, err := testTarget()
	if err != nil {
		t.Fatal(err)
	}
	p := params{"CiphertextBlob": h.encrypt(t, h.newKey(t), "hello"), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	for what, key := range map[string]string{
		"of 3072 bits": der(long.Public()), "a curve": der(curve.Public()), "exponent 3": der(&rsa.PublicKey{N: pair.N, E: 3}), "nothing": "AA==",
		"a byte too many": b64(string(unb64(t, good)) + "x"), "cut short": b64(string(unb64(t, good)[:200])),
		"PKCS #1": b64(string(x509.MarshalPKCS1PublicKey(&pair.PublicKey))),
	} {
		if r := h.fails(t, CodeInvalidParameter, "ExportDataKey", with(p, "PublicKeyBlob", key)); !strings.Contains(r.message(), "PublicKeyBlob") {
			t.Errorf("%s: %s", what, r.message())
		}
	}
	p["PublicKeyBlob"] = good
	h.fails(t, CodeInvalidParameter, "ExportDataKey", with(p, "WrappingAlgorithm", "SM2PKE"))
	h.fails(t, CodeInvalidParameter, "ExportDataKey", with(p, "WrappingKeySpec", "EC_SM2"))
	h.fails(t, CodeInvalidParameter, "ExportDataKey", with(p, "WrappingKeySpec", "EC_SM2", "WrappingAlgorithm", "SM2PKE"))

	// An SM2 key of another region.
	sm2 := h.pair(t, "EC_SM2", usageEncrypt, "SM2PKE")
	public := strings.Split(h.ok(t, "GetPublicKey", with(sm2, "Algorithm", "-")).text("PublicKey"), "\n")
	p = with(p, "PublicKeyBlob", strings.Join(public[1:len(public)-2], ""), "WrappingKeySpec", "EC_SM2", "WrappingAlgorithm", "SM2PKE")
	exported := h.ok(t, "ExportDataKey", p).text("ExportedDataKey")
	if r := h.ok(t, "AsymmetricDecrypt", with(sm2, "CiphertextBlob", exported)); r.text("Plaintext") != b64("hello") {
		t.Error(r.raw)
	}
}

// Where only pinned regions may be exported to, another public key is refused: by a dry run, too.
func TestExportIsAllowedToPinnedPeersOnly(t *testing.T) {
	h := newHarness(t, Limits{})
	pinned, other := testPublicKey(t), ""
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(pair.Public())
	if err != nil {
		t.Fatal(err)
	}
	other = b64(string(der))
	h.peers = Peers{Pinned: [][sha256.Size]byte{sha256.Sum256([]byte("another")), sha256.Sum256(unb64(t, pinned))}}
	h.server, h.identity = h.newServer(t, Limits{})
	p := params{"KeyId": h.newKey(t), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	for _, action := range []string{"ExportDataKey", "GenerateAndExportDataKey"} {
		p := with(p, "CiphertextBlob", h.encrypt(t, p["KeyId"], "hello"))
		h.ok(t, action, with(p, "PublicKeyBlob", pinned))
		r := h.fails(t, CodeForbiddenExportNotAllowed, action, with(p, "PublicKeyBlob", other))
		if r.status != 403 || strings.Contains(r.raw, "ExportedDataKey") || strings.Contains(r.raw, "CiphertextBlob") {
			t.Error(r.raw)
		}
		h.fails(t, CodeForbiddenExportNotAllowed, action, with(p, "PublicKeyBlob", other, "DryRun", "true"))
		h.identity.Root = false
		h.fails(t, CodeForbiddenNoPermission, action, with(p, "PublicKeyBlob", other))
		h.identity.Root = true
	}
}

// A blob may name any key: one that seals nothing is told to who may use it, and to nobody else.
func TestExportOfWhatAKeyCannotHaveSealed(t *testing.T) {
	h := newHarness(t, Limits{})
	sealing, pair := h.newKey(t), h.newKeyOf(t, "EC_P256", "SIGN/VERIFY")
	from, _ := crypto.ParseKeyID(sealing)
	to, _ := crypto.ParseKeyID(pair)
	blob := strings.Replace(string(unb64(t, h.encrypt(t, sealing, "hello"))), string(from[:]), string(to[:]), 1)
	p := params{"CiphertextBlob": b64(blob), "PublicKeyBlob": testPublicKey(t), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
	for action, code := range map[string]string{"ExportDataKey": CodeInvalidParameter, "Decrypt": CodeUnsupportedOperation} {
		for _, dry := range []string{"false", "true"} {
			r := h.call(t, action, with(p, "DryRun", dry))
			if want := code; r.code != want && !(dry == "true" && r.code == CodeValidationError) || !strings.Contains(r.message(), "EC_P256") {
				t.Errorf("%s, dry run %s: %s", action, dry, r.raw)
			}
		}
	}
	if r := h.fails(t, CodeInvalidParameter, "ExportDataKey", p); !strings.Contains(r.message(), "CiphertextBlob") {
		t.Error(r.message())
	}
	h.identity.Root = false
	if r := h.fails(t, CodeForbiddenNoPermission, "ExportDataKey", p); strings.Contains(r.message(), "EC_P256") {
		t.Error(r.message())
	}
	h.identity.Root = true
	h.fails(t, CodeInvalidParameter, "GenerateAndExportDataKey", with(p, "KeyId", pair))
}
