package crypto

import (
	"bytes"
	"errors"
	"testing"
)

// wrapAs wraps material as that of a key version of an algorithm.
func wrapAs(t testing.TB, k *Keyring, a Algorithm, material []byte) (Binding, []byte) {
	t.Helper()
	b := MaterialOf("eu-1", testHeader.KeyID, testHeader.VersionID, a)
	return b, mustWrap(t, k, b, material)
}

func TestSelfCheckOfGoodMaterial(t *testing.T) {
	ring := mustKeyring(t)
	for _, a := range []Algorithm{AlgorithmXAES256GCM, AlgorithmXSM4GCM} {
		t.Run(a.String(), func(t *testing.T) {
			skipUnlessAvailable(t, a)
			b, wrapped := wrapAs(t, ring, a, NewMaterial(a))
			if err := ring.SelfCheck(b, wrapped); err != nil {
				t.Error(err)
			}
		})
	}
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		b, wrapped := wrapAs(t, ring, k.Algorithm(), mustMarshal(t, k))
		if err := ring.SelfCheck(b, wrapped); err != nil {
			t.Error(err)
		}
		b = Binding{Region: "eu-1", KeyID: testHeader.KeyID, Algorithm: k.Algorithm(), Purpose: PurposeImport}
		if err := ring.SelfCheck(b, mustWrap(t, ring, b, mustMarshal(t, k))); err != nil {
			t.Errorf("as the key of an import token: %v", err)
		}
	})
}

func TestSelfCheckOfBadMaterial(t *testing.T) {
	ring := mustKeyring(t)
	p256 := mustMarshal(t, testPair(t, AlgorithmECP256))
	rsa2048 := mustMarshal(t, testPair(t, AlgorithmRSA2048))
	changed := bytes.Clone(rsa2048)
	changed[len(changed)/2] ^= 1
	for _, test := range []struct {
		name     string
		a        Algorithm
		material []byte
	}{
		{"a byte less", AlgorithmXAES256GCM, counting(0, 31)},
		{"a byte more", AlgorithmXAES256GCM, counting(0, 33)},
		{"nothing", AlgorithmXAES256GCM, nil},
		{"a key of XAES", AlgorithmXSM4GCM, counting(0, 32)},
		{"nothing", AlgorithmRSA2048, nil},
		{"a bit changed", AlgorithmRSA2048, changed},
		{"a larger key wanted", AlgorithmRSA3072, rsa2048},
		{"a key of P-256", AlgorithmRSA2048, p256},
		{"an RSA key", AlgorithmECP256, rsa2048},
		{"cut", AlgorithmECP256, p256[:len(p256)-1]},
		{"zeros", AlgorithmECP256K, make([]byte, 32)},
		{"zeros", AlgorithmSM2, make([]byte, 32)},
	} {
		if test.a.Available() != nil {
			continue
		}
		b, wrapped := wrapAs(t, ring, test.a, test.material)
		if err := ring.SelfCheck(b, wrapped); !errors.Is(err, ErrSelfCheck) {
			t.Errorf("%v, %s: %v", test.a, test.name, err)
		}
	}
}

func TestSelfCheckOfBadWrappings(t *testing.T) {
	ring := mustKeyring(t)
	b, wrapped := wrapAs(t, ring, AlgorithmXAES256GCM, counting(0, 32))
	elsewhere := b
	elsewhere.VersionID = NewVersionID()
	if err := ring.SelfCheck(elsewhere, wrapped); !errors.Is(err, ErrUnwrap) {
		t.Errorf("another place: %v", err)
	}
	if err := ring.SelfCheck(b, wrapped[:len(wrapped)-1]); !errors.Is(err, ErrUnwrap) {
		t.Errorf("cut: %v", err)
	}
	if err := mustKeyring(t).SelfCheck(b, wrapped); !errors.Is(err, ErrUnwrap) {
		t.Errorf("another keyring: %v", err)
	}
	if err := ring.SelfCheck(MaterialOf("eu-1", b.KeyID, b.VersionID, 99), wrapped); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("an unknown algorithm: %v", err)
	}
	ring.Close()
	if err := ring.SelfCheck(b, wrapped); !errors.Is(err, ErrKeyringClosed) {
		t.Errorf("a closed keyring: %v", err)
	}
}

// brokenSigner signs another digest than it is asked to.
type brokenSigner struct{ privateHalf }

func (b brokenSigner) sign(s SignatureScheme, digest []byte) ([]byte, error) {
	other := bytes.Clone(digest)
	other[5] ^= 1
	return b.privateHalf.sign(s, other)
}

// brokenDecrypter loses the first byte.
type brokenDecrypter struct{ privateHalf }

func (b brokenDecrypter) decrypt(s EncryptionScheme, ciphertext []byte) (Secret, error) {
	plaintext, err := b.privateHalf.decrypt(s, ciphertext)
	if err != nil {
		return nil, err
	}
	return plaintext[1:], nil
}

// yesSayer verifies everything.
type yesSayer struct{ publicHalf }

func (yesSayer) verify(SignatureScheme, []byte, []byte) bool { return true }

// A self-check that could not fail would be worse than none.
func TestSelfCheckSeesBrokenPairs(t *testing.T) {
	k := testPair(t, AlgorithmRSA2048)
	if err := checkSignature(k, k.public, RSAPSSSHA256); err != nil {
		t.Fatal(err)
	}
	if err := checkEncryption(k, k.public, RSAESOAEPSHA256); err != nil {
		t.Fatal(err)
	}
	if err := checkSignature(&PrivateKey{half: brokenSigner{k.half}, public: k.public}, k.public, RSAPSSSHA256); err == nil {
		t.Error("signatures of something else pass")
	}
	careless := &PublicKey{algorithm: k.Algorithm(), half: yesSayer{k.public.half}, der: k.public.der}
	if err := checkSignature(k, careless, RSAPSSSHA256); err == nil {
		t.Error("a public key that takes every signature passes")
	}
	if err := checkEncryption(&PrivateKey{half: brokenDecrypter{k.half}, public: k.public}, k.public, RSAESOAEPSHA256); err == nil {
		t.Error("other plaintexts pass")
	}
	other, err := GenerateKey(AlgorithmRSA2048)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkSignature(k, other.public, RSAPKCS1SHA256); err == nil {
		t.Error("a signature passes under another's public key")
	}
	if err := checkEncryption(k, other.public, RSAESOAEPSHA256); err == nil {
		t.Error("a ciphertext passes under another's public key")
	}
}
