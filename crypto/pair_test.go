package crypto

import (
	"bytes"
	stdcrypto "crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/emmansun/gmsm/sm2"
)

// pairAlgorithms are the asymmetric ones.
var pairAlgorithms = []Algorithm{AlgorithmRSA2048, AlgorithmRSA3072, AlgorithmECP256, AlgorithmECP256K, AlgorithmSM2}

// allEncryption and allSignature are every scheme there is, and one that is none.
var (
	allEncryption = []EncryptionScheme{RSAESOAEPSHA256, RSAESOAEPSHA1, RSAESPKCS1v15, SM2PKE, "RSAES_OAEP_SHA_512", ""}
	allSignature  = []SignatureScheme{RSAPSSSHA256, RSAPKCS1SHA256, ECDSASHA256, SM2DSA, "RSA_PSS_SHA_512", ""}
)

var testPairs sync.Map // Algorithm: func() (*PrivateKey, error)

// testPair returns a key pair of this test process: RSA keys take long to make.
func testPair(t testing.TB, a Algorithm) *PrivateKey {
	t.Helper()
	skipUnlessAvailable(t, a)
	once, _ := testPairs.LoadOrStore(a, sync.OnceValues(func() (*PrivateKey, error) { return GenerateKey(a) }))
	key, err := once.(func() (*PrivateKey, error))()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// eachPair runs f for each asymmetric algorithm that is available.
func eachPair(t *testing.T, f func(t *testing.T, k *PrivateKey)) {
	for _, a := range pairAlgorithms {
		t.Run(a.String(), func(t *testing.T) { f(t, testPair(t, a)) })
	}
}

func mustMarshal(t testing.TB, k *PrivateKey) Secret {
	t.Helper()
	material, err := k.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return material
}

func mustSign(t testing.TB, k *PrivateKey, s SignatureScheme, digest []byte) []byte {
	t.Helper()
	signature, err := k.Sign(s, digest)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return signature
}

func mustEncrypt(t testing.TB, p *PublicKey, s EncryptionScheme, plaintext []byte) []byte {
	t.Helper()
	ciphertext, err := p.Encrypt(s, plaintext)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return ciphertext
}

// verifies says whether a signature is right; nothing else may go wrong.
func verifies(t testing.TB, p *PublicKey, s SignatureScheme, digest, signature []byte) bool {
	t.Helper()
	ok, err := p.Verify(s, digest, signature)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return ok
}

func TestPairThroughItsEncodings(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		a := k.Algorithm()
		material := mustMarshal(t, k)
		again, err := ParsePrivateKey(a, material)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Public().DER(), k.Public().DER()) || !mustMarshal(t, again).Equal(material) {
			t.Error("another pair comes back")
		}
		public, err := ParsePublicKey(a, k.Public().DER())
		if err != nil {
			t.Fatal(err)
		}
		if again.Algorithm() != a || k.Public().Algorithm() != a || public.Algorithm() != a || !bytes.Equal(public.DER(), k.Public().DER()) {
			t.Error("another public key comes back")
		}
		digest := counting(3, DigestBytes)
		for _, s := range a.SignatureSchemes() {
			for _, signer := range []*PrivateKey{k, again} {
				if !verifies(t, public, s, digest, mustSign(t, signer, s, digest)) {
					t.Errorf("%s: a signature does not verify", s)
				}
			}
		}
		for _, s := range a.EncryptionSchemes() {
			if s.Available() != nil {
				continue
			}
			got, err := again.Decrypt(s, mustEncrypt(t, public, s, []byte("text")))
			if err != nil || string(got) != "text" {
				t.Errorf("%s: decrypts to %q, %v", s, []byte(got), err)
			}
		}
		material.Wipe()
		if !verifies(t, public, a.SignatureSchemes()[0], digest, mustSign(t, again, a.SignatureSchemes()[0], digest)) {
			t.Error("the pair leaned on the bytes it was parsed from")
		}
		k.Public().DER()[0] ^= 1
		if _, err := ParsePublicKey(a, k.Public().DER()); err != nil {
			t.Error("whoever has the DER can change the key")
		}
	})
}

func TestGenerateKeyMakesNewKeys(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmRSA2048, AlgorithmECP256, AlgorithmECP256K, AlgorithmSM2} {
		t.Run(a.String(), func(t *testing.T) {
			first := testPair(t, a)
			second, err := GenerateKey(a)
			if err != nil || bytes.Equal(first.Public().DER(), second.Public().DER()) {
				t.Errorf("%v, or the same key twice", err)
			}
		})
	}
	for _, a := range []Algorithm{0, AlgorithmXAES256GCM, Algorithm(len(algorithms)), 255} {
		if k, err := GenerateKey(a); k != nil || !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%v: a key pair %v, %v", a, k != nil, err)
		}
		if k, err := ParsePrivateKey(a, counting(1, 32)); k != nil || !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%v: parsed %v, %v", a, k != nil, err)
		}
		if k, err := ParsePublicKey(a, testPair(t, AlgorithmECP256).Public().DER()); k != nil || !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%v: parsed %v, %v", a, k != nil, err)
		}
	}
}

func TestRSAKeysAreWhatTheyShouldBe(t *testing.T) {
	for a, bits := range map[Algorithm]int{AlgorithmRSA2048: 2048, AlgorithmRSA3072: 3072} {
		key := testPair(t, a).half.(*rsaPrivate).key
		if key.N.BitLen() != bits || key.E != 65537 || len(key.Primes) != 2 {
			t.Errorf("%v: %d bits, exponent %d, %d primes", a, key.N.BitLen(), key.E, len(key.Primes))
		}
	}
}

func TestSchemesOfOtherKeysAreRefused(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		a := k.Algorithm()
		digest := counting(0, DigestBytes)
		for _, s := range allSignature {
			if slices.Contains(a.SignatureSchemes(), s) {
				continue
			}
			if _, err := k.Sign(s, digest); !errors.Is(err, ErrScheme) {
				t.Errorf("Sign with %q: %v", s, err)
			}
			if ok, err := k.Public().Verify(s, digest, []byte("signature")); ok || !errors.Is(err, ErrScheme) {
				t.Errorf("Verify with %q: %v, %v", s, ok, err)
			}
		}
		for _, s := range allEncryption {
			if slices.Contains(a.EncryptionSchemes(), s) {
				continue
			}
			if _, err := k.Public().Encrypt(s, []byte("text")); !errors.Is(err, ErrScheme) {
				t.Errorf("Encrypt with %q: %v", s, err)
			}
			if _, err := k.Decrypt(s, make([]byte, 256)); !errors.Is(err, ErrScheme) {
				t.Errorf("Decrypt with %q: %v", s, err)
			}
			_, rsaKey := rsaOf(a.info().rsaBits)
			if _, err := k.DecryptImport(s, make([]byte, 256), 32); !errors.Is(err, ErrScheme) && (s != RSAESPKCS1v15 || !rsaKey) {
				t.Errorf("DecryptImport with %q: %v", s, err)
			}
			if a.MaxPlaintext(s) != 0 || a.CiphertextBytes(s, 1) != 0 {
				t.Errorf("%q takes %d bytes", s, a.MaxPlaintext(s))
			}
		}
	})
}

func TestDigestsOfOtherLengthsAreRefused(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		for _, s := range k.Algorithm().SignatureSchemes() {
			for _, size := range []int{0, 1, 31, 33, 64} {
				if _, err := k.Sign(s, make([]byte, size)); !errors.Is(err, ErrDigestLength) {
					t.Errorf("%s signs %d bytes: %v", s, size, err)
				}
				if ok, err := k.Public().Verify(s, make([]byte, size), nil); ok || !errors.Is(err, ErrDigestLength) {
					t.Errorf("%s verifies %d bytes: %v, %v", s, size, ok, err)
				}
			}
		}
	})
}

func TestChangedSignaturesAreRefused(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		p := k.Public()
		for _, s := range k.Algorithm().SignatureSchemes() {
			digest := counting(9, DigestBytes)
			signature := mustSign(t, k, s, digest)
			for i := range signature {
				changed := bytes.Clone(signature)
				changed[i] ^= 1 << (i % 8)
				if verifies(t, p, s, digest, changed) {
					t.Errorf("%s: byte %d changed, verifies", s, i)
				}
				if verifies(t, p, s, digest, signature[:i]) {
					t.Errorf("%s: cut to %d bytes, verifies", s, i)
				}
			}
			if verifies(t, p, s, digest, append(bytes.Clone(signature), 0)) || verifies(t, p, s, digest, append([]byte{0}, signature...)) {
				t.Errorf("%s: verifies with a byte more", s)
			}
			other := bytes.Clone(digest)
			other[31] ^= 1
			if verifies(t, p, s, other, signature) {
				t.Errorf("%s: verifies for another digest", s)
			}
			if !verifies(t, p, s, digest, signature) {
				t.Errorf("%s: the signature itself does not verify", s)
			}
		}
	})
}

func TestPSSSalts(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmRSA2048, AlgorithmRSA3072} {
		k := testPair(t, a)
		key := k.half.(*rsaPrivate).key
		digest := sha256.Sum256([]byte("text"))
		most := key.Size() - sha256.Size - 2
		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, 1, 20, 31, 33, 64, most} {
			if salt > sha256.Size && notApproved(RSAESOAEPSHA1.Available()) {
				continue // not to be made in this mode
			}
			signature, err := rsa.SignPSS(rand.Reader, key, stdcrypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
			if err != nil {
				t.Fatal(err)
			}
			if !verifies(t, k.Public(), RSAPSSSHA256, digest[:], signature) {
				t.Errorf("%v: a signature with a salt of %d bytes does not verify", a, salt)
			}
		}
		signature := mustSign(t, k, RSAPSSSHA256, digest[:])
		if err := rsa.VerifyPSS(&key.PublicKey, stdcrypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: 32}); err != nil {
			t.Errorf("%v: a signature of ours has no salt of 32 bytes: %v", a, err)
		}
		if bytes.Equal(signature, mustSign(t, k, RSAPSSSHA256, digest[:])) {
			t.Errorf("%v: two signatures are the same", a)
		}
	}
}

// derPair encodes two integers as signatures have them.
func derPair(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// curveOrder returns the order of the curve of an algorithm.
func curveOrder(a Algorithm) *big.Int {
	switch a {
	case AlgorithmECP256:
		return elliptic.P256().Params().N
	case AlgorithmECP256K:
		return secp256k1.Params().N
	}
	return sm2.P256().Params().N
}

func TestSignaturesAreStrictDER(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmECP256, AlgorithmECP256K, AlgorithmSM2} {
		t.Run(a.String(), func(t *testing.T) {
			k, scheme, n := testPair(t, a), a.SignatureSchemes()[0], curveOrder(a)
			digest := counting(5, DigestBytes)
			var r, s *big.Int
			var signature []byte
			// Integers of 32 bytes with the highest bit clear and set have different forms: wait for the first of each.
			for {
				signature = mustSign(t, k, scheme, digest)
				var pair struct{ R, S *big.Int }
				if rest, err := asn1.Unmarshal(signature, &pair); err != nil || len(rest) != 0 {
					t.Fatal(err)
				}
				r, s = pair.R, pair.S
				if r.BitLen() > 248 && s.BitLen() > 248 {
					break
				}
				digest[0]++ // RFC 6979 makes the same signature of the same digest
			}
			if !bytes.Equal(derPair(t, r, s), signature) {
				t.Fatal("the signature is not in DER")
			}
			body := signature[2:]
			rEnd := 2 + int(body[1])
			rDER, sDER := body[:rEnd], body[rEnd:]
			sequence := func(parts ...[]byte) []byte {
				b := slices.Concat(parts...)
				return append([]byte{0x30, byte(len(b))}, b...)
			}
			padded := func(integer []byte) []byte {
				return slices.Concat([]byte{0x02, integer[1] + 1, 0}, integer[2:])
			}
			one := big.NewInt(1)
			for name, bad := range map[string][]byte{
				"nothing":                     nil,
				"a byte behind":               append(bytes.Clone(signature), 0),
				"a byte inside, behind s":     sequence(rDER, sDER, []byte{0}),
				"an integer more":             sequence(rDER, sDER, []byte{2, 1, 1}),
				"no s":                        sequence(rDER),
				"a length in the long form":   slices.Concat([]byte{0x30, 0x81, byte(len(body))}, body),
				"an indefinite length":        slices.Concat([]byte{0x30, 0x80}, body, []byte{0, 0}),
				"a zero before r":             sequence(padded(rDER), sDER),
				"a zero before s":             sequence(rDER, padded(sDER)),
				"a long length of r":          sequence([]byte{2, 0x81, rDER[1]}, rDER[2:], sDER),
				"an r without bytes":          sequence([]byte{2, 0}, sDER),
				"an s without bytes":          sequence(rDER, []byte{2, 0}),
				"r and s as bytes":            slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))),
				"a set":                       append([]byte{0x31}, signature[1:]...),
				"octets for r":                sequence(append([]byte{4}, rDER[1:]...), sDER),
				"r is 0":                      derPair(t, new(big.Int), s),
				"s is 0":                      derPair(t, r, new(big.Int)),
				"both are 0":                  derPair(t, new(big.Int), new(big.Int)),
				"r is negative":               derPair(t, new(big.Int).Sub(r, n), s),
				"s is negative":               derPair(t, r, new(big.Int).Sub(s, n)),
				"r is the order":              derPair(t, n, s),
				"s is the order":              derPair(t, r, n),
				"r is itself, unreduced":      derPair(t, new(big.Int).Add(r, n), s),
				"s is itself, unreduced":      derPair(t, r, new(big.Int).Add(s, n)),
				"r of 33 bytes, cut":          derPair(t, new(big.Int).Add(r, new(big.Int).Lsh(one, 256)), s),
				"s of 33 bytes, cut":          derPair(t, r, new(big.Int).Add(s, new(big.Int).Lsh(one, 256))),
				"r and s exchanged":           derPair(t, s, r),
				"r is 1":                      derPair(t, one, s),
				"s is the order less one":     derPair(t, r, new(big.Int).Sub(n, one)),
				"r and s are one and one":     derPair(t, one, one),
				"a sequence that has nothing": {0x30, 0},
			} {
				if verifies(t, k.Public(), scheme, digest, bad) {
					t.Errorf("%s: verifies", name)
				}
			}
			if !verifies(t, k.Public(), scheme, digest, signature) {
				t.Error("the signature itself does not verify")
			}
			// ECDSA has two values for s. Both are right, whichever the signer takes.
			other := derPair(t, r, new(big.Int).Sub(n, s))
			if got := verifies(t, k.Public(), scheme, digest, other); got != (scheme == ECDSASHA256) {
				t.Errorf("with the other s: %v", got)
			}
		})
	}
}

func TestPairConcurrentUse(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		k, err := ParsePrivateKey(k.Algorithm(), mustMarshal(t, k)) // with nothing computed yet
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				digest := bytes.Repeat([]byte{byte(worker)}, DigestBytes)
				for range 5 {
					for _, s := range k.Algorithm().SignatureSchemes() {
						signature, err := k.Sign(s, digest)
						if err != nil {
							t.Error(err)
							return
						}
						if ok, err := k.Public().Verify(s, digest, signature); err != nil || !ok {
							t.Errorf("worker %d: %v, %v", worker, ok, err)
						}
					}
				}
			})
		}
		wg.Wait()
	})
}
