package crypto

import (
	"crypto/fips140"
	"errors"
	"slices"
	"testing"
)

// Numbers are on disks and in blobs, scheme names are the API's: neither may change.
func TestAlgorithmsAreWhatTheyWere(t *testing.T) {
	rsaEncrypts, rsaSigns := []EncryptionScheme{"RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"}, []SignatureScheme{"RSA_PSS_SHA_256", "RSA_PKCS1_SHA_256"}
	ecdsaSigns := []SignatureScheme{"ECDSA_SHA_256"}
	for number, want := range []struct {
		a          Algorithm
		name       string
		material   int
		approved   bool
		encryption []EncryptionScheme
		signature  []SignatureScheme
	}{
		{0, "algorithm 0", 0, false, nil, nil},
		{AlgorithmXAES256GCM, "XAES-256-GCM", 32, true, nil, nil},
		{AlgorithmXSM4GCM, "XSM4-GCM", 16, false, nil, nil},
		{AlgorithmRSA2048, "RSA-2048", 0, true, rsaEncrypts, rsaSigns},
		{AlgorithmRSA3072, "RSA-3072", 0, true, rsaEncrypts, rsaSigns},
		{AlgorithmECP256, "EC-P256", 0, true, nil, ecdsaSigns},
		{AlgorithmECP256K, "EC-P256K", 0, false, nil, ecdsaSigns},
		{AlgorithmSM2, "EC-SM2", 0, false, []EncryptionScheme{"SM2PKE"}, []SignatureScheme{"SM2DSA"}},
		{8, "algorithm 8", 0, false, nil, nil},
	} {
		a := want.a
		if int(a) != number || a.String() != want.name || a.MaterialBytes() != want.material || a.Symmetric() != (want.material > 0) {
			t.Errorf("number %d: %d, %s, %d bytes, symmetric %v", number, a, a, a.MaterialBytes(), a.Symmetric())
		}
		if !slices.Equal(a.EncryptionSchemes(), want.encryption) || !slices.Equal(a.SignatureSchemes(), want.signature) {
			t.Errorf("%v: %v, %v", a, a.EncryptionSchemes(), a.SignatureSchemes())
		}
		err := a.Available()
		switch exists := number >= 1 && number <= 7; {
		case !exists:
			if !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%v: %v", a, err)
			}
		case want.approved || !fips140.Enforced():
			if err != nil {
				t.Errorf("%v: %v", a, err)
			}
		case !errors.Is(err, ErrNotApproved):
			t.Errorf("%v in FIPS 140-only mode: %v", a, err)
		}
	}
	if a := Algorithm(255); a.String() != "algorithm 255" || a.Symmetric() || !errors.Is(a.Available(), ErrAlgorithm) {
		t.Errorf("%v: symmetric %v, %v", a, a.Symmetric(), a.Available())
	}
}

func TestSchemesCannotBeChangedFromOutside(t *testing.T) {
	AlgorithmRSA2048.EncryptionSchemes()[0] = SM2PKE
	AlgorithmRSA2048.SignatureSchemes()[0] = SM2DSA
	if AlgorithmRSA2048.EncryptionSchemes()[0] != RSAESOAEPSHA256 || AlgorithmRSA3072.SignatureSchemes()[0] != RSAPSSSHA256 {
		t.Error("a caller changed the table")
	}
}

func TestSchemesAvailable(t *testing.T) {
	for s, approved := range map[EncryptionScheme]bool{RSAESOAEPSHA256: true, RSAESOAEPSHA1: false, RSAESPKCS1v15: false, SM2PKE: false} {
		if err := s.Available(); (err == nil) != (approved || !fips140.Enforced()) || err != nil && !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: %v", s, err)
		}
	}
	for s, approved := range map[SignatureScheme]bool{RSAPSSSHA256: true, RSAPKCS1SHA256: true, ECDSASHA256: true, SM2DSA: false} {
		if err := s.Available(); (err == nil) != (approved || !fips140.Enforced()) || err != nil && !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: %v", s, err)
		}
	}
	if err := EncryptionScheme("RSAES_OAEP_SHA_512").Available(); !errors.Is(err, ErrScheme) {
		t.Errorf("a scheme that is none: %v", err)
	}
	if err := SignatureScheme("").Available(); !errors.Is(err, ErrScheme) {
		t.Errorf("a scheme that is none: %v", err)
	}
}

// TestNotApproved goes through all that FIPS 140-only mode forbids: each is an error, none is a panic, and no key of
// another kind is mistaken for one that may be used. TestFIPSOnlyMode runs it.
func TestNotApproved(t *testing.T) {
	if !fips140.Enforced() {
		t.Skip("everything is allowed in this mode")
	}
	// Keys that were made where they are allowed.
	pairs := map[Algorithm]*PrivateKey{}
	materials := map[Algorithm]Secret{AlgorithmXSM4GCM: counting(0, xsm4KeyBytes)}
	fips140.WithoutEnforcement(func() {
		for _, a := range []Algorithm{AlgorithmECP256K, AlgorithmSM2} {
			k, err := GenerateKey(a)
			if err != nil {
				t.Fatal(err)
			}
			pairs[a], materials[a] = k, mustMarshal(t, k)
		}
	})
	refused := func(what string, a Algorithm, err error) {
		t.Helper()
		if !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s with %v: %v", what, a, err)
		}
	}
	ring := mustKeyring(t)
	for a, material := range materials {
		b := MaterialOf("eu-1", testHeader.KeyID, testHeader.VersionID, a)
		wrapped := mustWrap(t, ring, b, material) // which knows nothing of algorithms
		refused("SelfCheck", a, ring.SelfCheck(b, wrapped))
		if a.Symmetric() {
			_, err := NewCipher(a, material)
			refused("NewCipher", a, err)
			_, err = NewXSM4(material)
			refused("NewXSM4", a, err)
			continue
		}
		_, err := GenerateKey(a)
		refused("GenerateKey", a, err)
		_, err = ParsePrivateKey(a, material)
		refused("ParsePrivateKey", a, err)
		_, err = ParsePublicKey(a, pairs[a].Public().DER())
		refused("ParsePublicKey", a, err)
		for _, s := range a.SignatureSchemes() {
			_, err = pairs[a].Sign(s, make([]byte, DigestBytes))
			refused("Sign", a, err)
			_, err = pairs[a].Public().Verify(s, make([]byte, DigestBytes), nil)
			refused("Verify", a, err)
		}
		for _, s := range a.EncryptionSchemes() {
			_, err = pairs[a].Decrypt(s, make([]byte, 100))
			refused("Decrypt", a, err)
			_, err = pairs[a].DecryptImport(s, make([]byte, 100), 32)
			refused("DecryptImport", a, err)
			_, err = pairs[a].Public().Encrypt(s, make([]byte, 32))
			refused("Encrypt", a, err)
		}
	}
	for _, a := range []Algorithm{AlgorithmRSA2048, AlgorithmRSA3072} {
		k := testPair(t, a)
		_, err := k.Public().Encrypt(RSAESOAEPSHA1, []byte("text"))
		refused("Encrypt", a, err)
		_, err = k.Decrypt(RSAESOAEPSHA1, make([]byte, 256))
		refused("Decrypt", a, err)
		for _, s := range []EncryptionScheme{RSAESOAEPSHA1, RSAESPKCS1v15} {
			_, err = k.DecryptImport(s, make([]byte, 256), 32)
			refused("DecryptImport", a, err)
		}
	}
}
