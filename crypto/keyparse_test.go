package crypto

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// scalar returns a number as a private key of 32 bytes.
func scalar(n *big.Int) []byte { return n.FillBytes(make([]byte, scalarBytes)) }

func TestScalarsInRange(t *testing.T) {
	one := big.NewInt(1)
	for _, a := range []Algorithm{AlgorithmECP256K, AlgorithmSM2} {
		t.Run(a.String(), func(t *testing.T) {
			skipUnlessAvailable(t, a)
			n := curveOrder(a)
			largest := new(big.Int).Sub(n, one)
			bad := map[string][]byte{
				"nothing": nil, "0": scalar(new(big.Int)), "the order": scalar(n), "above the order": bytes.Repeat([]byte{0xff}, scalarBytes),
				"31 bytes": make([]byte, 31), "a byte more": append(scalar(one), 0), "a zero before": append([]byte{0}, scalar(one)...),
			}
			if a == AlgorithmSM2 { // whose scalar plus one must have an inverse
				bad["the order less one"] = scalar(largest)
				largest = new(big.Int).Sub(largest, one)
			}
			for name, material := range bad {
				if k, err := ParsePrivateKey(a, material); k != nil || !errors.Is(err, ErrPrivateKey) {
					t.Errorf("%s: %v", name, err)
				}
			}
			for name, material := range map[string][]byte{
				"1": scalar(one), "the largest": scalar(largest),
				"zeros before": slices.Concat(make([]byte, 20), counting(1, 12)),
			} {
				k, err := ParsePrivateKey(a, material)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if !mustMarshal(t, k).Equal(material) {
					t.Errorf("%s: another scalar comes back", name)
				}
				s := a.SignatureSchemes()[0]
				if digest := counting(4, DigestBytes); !verifies(t, k.Public(), s, digest, mustSign(t, k, s, digest)) {
					t.Errorf("%s: a signature does not verify", name)
				}
				if a == AlgorithmSM2 {
					if got, err := k.Decrypt(SM2PKE, mustEncrypt(t, k.Public(), SM2PKE, []byte("text"))); err != nil || string(got) != "text" {
						t.Errorf("%s: decrypts to %q, %v", name, []byte(got), err)
					}
				}
			}
		})
	}
}

// pkcs8 encodes a key of the standard library.
func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// smallExponentKey returns a key of 2048 bits whose exponent is not 65537.
func smallExponentKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	one := big.NewInt(1)
	for e := int64(3); ; e += 2 {
		from := testPair(t, AlgorithmRSA2048).half.(*rsaPrivate).key
		p, q := from.Primes[0], from.Primes[1]
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(big.NewInt(e), phi)
		if d == nil {
			continue
		}
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: from.N, E: int(e)}, D: d, Primes: []*big.Int{p, q}}
		key.Precompute()
		if err := key.Validate(); err != nil {
			t.Fatal(err)
		}
		return key
	}
}

func TestParsePrivateKeyRefusesOtherMaterial(t *testing.T) {
	rsa2048, p256 := mustMarshal(t, testPair(t, AlgorithmRSA2048)), mustMarshal(t, testPair(t, AlgorithmECP256))
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// A private key that does not belong to the public key that stands beside it in PKCS#8.
	other, err := GenerateKey(AlgorithmECP256)
	if err != nil {
		t.Fatal(err)
	}
	stranger := mustMarshal(t, other)
	mixed := slices.Concat(p256[:len(p256)-pointBytes], stranger[len(stranger)-pointBytes:])
	with := func(b []byte, i int, x byte) []byte { b = bytes.Clone(b); b[i] ^= x; return b }
	for _, test := range []struct {
		name     string
		a        Algorithm
		material []byte
	}{
		{"nothing", AlgorithmRSA2048, nil},
		{"text", AlgorithmRSA2048, []byte("-----BEGIN PRIVATE KEY-----")},
		{"a P-256 key", AlgorithmRSA2048, p256},
		{"2048 bits for 3072", AlgorithmRSA3072, rsa2048},
		{"another exponent", AlgorithmRSA2048, pkcs8(t, smallExponentKey(t))},
		{"PKCS#1", AlgorithmRSA2048, x509.MarshalPKCS1PrivateKey(testPair(t, AlgorithmRSA2048).half.(*rsaPrivate).key)},
		{"a byte behind", AlgorithmRSA2048, append(bytes.Clone(rsa2048), 0)},
		{"cut", AlgorithmRSA2048, rsa2048[:len(rsa2048)-1]},
		{"its last coefficient changed", AlgorithmRSA2048, with(rsa2048, len(rsa2048)-1, 1)},
		{"its modulus changed", AlgorithmRSA2048, with(rsa2048, 100, 1)},
		{"its private exponent changed", AlgorithmRSA2048, with(rsa2048, 400, 1)},
		{"an RSA key", AlgorithmECP256, rsa2048},
		{"nothing", AlgorithmECP256, nil},
		{"a scalar", AlgorithmECP256, counting(1, 32)},
		{"a P-384 key", AlgorithmECP256, pkcs8(t, p384)},
		{"a byte behind", AlgorithmECP256, append(bytes.Clone(p256), 0)},
		{"cut", AlgorithmECP256, p256[:len(p256)-1]},
		{"another's public key beside it", AlgorithmECP256, mixed},
		{"its scalar changed", AlgorithmECP256, with(p256, 40, 1)},
	} {
		k, err := ParsePrivateKey(test.a, test.material)
		if k != nil || !errors.Is(err, ErrPrivateKey) {
			t.Errorf("%v, %s: %v", test.a, test.name, err)
		}
	}
}

// The standard library's decoders may say a thing or two about a key that they refuse; nothing of it comes out.
func TestErrorsOfPrivateKeysAreFixedTexts(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmRSA2048, AlgorithmECP256} {
		material := mustMarshal(t, testPair(t, a))
		texts := map[string]bool{}
		for i := 0; i < len(material); i += 11 {
			changed := bytes.Clone(material)
			changed[i] ^= 0x11
			_, err := ParsePrivateKey(a, changed)
			if err == nil {
				t.Errorf("%v: byte %d changed, taken", a, i)
				continue
			}
			texts[err.Error()] = true
		}
		if len(texts) > 8 {
			t.Errorf("%v: %d different errors: %v", a, len(texts), texts)
		}
	}
}

func TestMultiPrimeKeysAreRefused(t *testing.T) {
	//lint:ignore SA1019 to have one to refuse
	key, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048)
	if err != nil {
		if notApproved(RSAESOAEPSHA1.Available()) {
			t.Skip("such keys are not to be made in FIPS 140-only mode")
		}
		t.Fatal(err)
	}
	if k, err := ParsePrivateKey(AlgorithmRSA2048, pkcs8(t, key)); k != nil || !errors.Is(err, ErrPrivateKey) {
		t.Errorf("%v", err)
	}
}

// spki encodes a SubjectPublicKeyInfo without a look at what it says.
func spki(t testing.TB, oid asn1.ObjectIdentifier, parameters, key []byte) []byte {
	t.Helper()
	p, err := newPublicKey(0, nil, oid, parameters, key)
	if err != nil {
		t.Fatal(err)
	}
	return p.der
}

// rsaInfo encodes an RSA public key.
func rsaInfo(t testing.TB, n *big.Int, e int64) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct{ N, E *big.Int }{n, big.NewInt(e)})
	if err != nil {
		t.Fatal(err)
	}
	return spki(t, oidRSA, asn1.NullBytes, der)
}

func TestParsePublicKeyTakesExponents(t *testing.T) {
	n := testPair(t, AlgorithmRSA2048).half.(*rsaPrivate).key.N
	for e, reason := range map[int64]string{
		65537: "", 65539: "", 1<<31 - 1: "",
		-65537: "exponent", 0: "exponent", 1: "below 65537", 3: "below 65537", 65535: "below 65537", 65536: "below 65537", 65538: "even",
		1<<31 + 1: "above", 1<<32 + 65537: "above", 1<<62 + 1: "above",
	} {
		p, err := ParsePublicKey(AlgorithmRSA2048, rsaInfo(t, n, e))
		if reason == "" {
			if err != nil {
				t.Errorf("exponent %d: %v", e, err)
				continue
			}
			// And it can be used.
			if _, err := p.Encrypt(RSAESOAEPSHA256, []byte("text")); err != nil {
				t.Errorf("exponent %d: %v", e, err)
			}
			if verifies(t, p, RSAPSSSHA256, make([]byte, DigestBytes), make([]byte, 256)) {
				t.Errorf("exponent %d: zeros verify", e)
			}
			continue
		}
		if p != nil || !errors.Is(err, ErrPublicKey) || !strings.Contains(err.Error(), reason) {
			t.Errorf("exponent %d: %v, want %q in the reason", e, err, reason)
		}
	}
}

func TestParsePublicKeyTakesSizes(t *testing.T) {
	bit := func(n int) *big.Int { return new(big.Int).SetBit(big.NewInt(1), n-1, 1) } // of n bits, odd
	for bits, a := range map[int]Algorithm{2048: AlgorithmRSA2048, 3072: AlgorithmRSA3072} {
		for _, test := range []struct {
			n  *big.Int
			ok bool
		}{
			{bit(bits), true}, {bit(bits - 1), false}, {bit(bits + 1), false}, {bit(1024), false}, {bit(4096), false}, {bit(5120 - bits), false},
			{new(big.Int).Sub(bit(bits), big.NewInt(1)), false}, {new(big.Int).Neg(bit(bits)), false}, {new(big.Int), false},
		} {
			p, err := ParsePublicKey(a, rsaInfo(t, test.n, 65537))
			if (p != nil) != test.ok || err != nil && !errors.Is(err, ErrPublicKey) {
				t.Errorf("%v, %d bits: %v", a, test.n.BitLen(), err)
			}
		}
	}
}

func TestParsePublicKeyIsStrict(t *testing.T) {
	for _, a := range pairAlgorithms {
		t.Run(a.String(), func(t *testing.T) {
			der := testPair(t, a).Public().DER()
			for _, test := range []struct {
				name, reason string
				der          []byte
			}{
				{"nothing", "no SubjectPublicKeyInfo in DER", nil},
				{"garbage", "no SubjectPublicKeyInfo in DER", []byte("not a key at all")},
				{"PEM", "no SubjectPublicKeyInfo in DER", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})},
				{"a long length", "no SubjectPublicKeyInfo in DER", longLength(t, der)},
				{"a byte behind", "1 bytes behind", append(bytes.Clone(der), 0)},
				{"itself twice", "bytes behind", append(bytes.Clone(der), der...)},
				{"unused bits", "no SubjectPublicKeyInfo in DER", withUnusedBits(t, der, 1)},
				{"unused bits, 8", "no SubjectPublicKeyInfo in DER", withUnusedBits(t, der, 8)},
			} {
				p, err := ParsePublicKey(a, test.der)
				if p != nil || !errors.Is(err, ErrPublicKey) || !strings.Contains(err.Error(), test.reason) {
					t.Errorf("%s: %v, want %q in the reason", test.name, err, test.reason)
				}
			}
			for n := range der {
				if p, err := ParsePublicKey(a, der[:n]); p != nil || !errors.Is(err, ErrPublicKey) {
					t.Errorf("cut to %d bytes: %v", n, err)
				}
			}
			for _, other := range pairAlgorithms {
				if other == a || other.Available() != nil {
					continue
				}
				if p, err := ParsePublicKey(other, der); p != nil || !errors.Is(err, ErrPublicKey) {
					t.Errorf("as a key of %v: %v", other, err)
				}
			}
		})
	}
}

// longLength encodes the outermost length in four bytes, where one or two do.
func longLength(t testing.TB, der []byte) []byte {
	t.Helper()
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	n := len(outer.Bytes)
	return append([]byte{0x30, 0x83, 0, byte(n >> 8), byte(n)}, outer.Bytes...)
}

// withUnusedBits says of the bit string of a SubjectPublicKeyInfo that its last bits do not count.
func withUnusedBits(t testing.TB, der []byte, bits byte) []byte {
	t.Helper()
	var info subjectPublicKeyInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(der)
	changed[len(der)-len(info.PublicKey.Bytes)-1] = bits
	return changed
}

func TestParsePublicKeyTakesPointsOfTheCurve(t *testing.T) {
	for _, a := range []Algorithm{AlgorithmECP256, AlgorithmECP256K, AlgorithmSM2} {
		t.Run(a.String(), func(t *testing.T) {
			der := testPair(t, a).Public().DER()
			point := bytes.Clone(der[len(der)-pointBytes:])
			curve, name := a.curve()
			parameters, err := asn1.Marshal(curve)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(spki(t, oidEC, parameters, point), der) {
				t.Fatal("the test encodes otherwise")
			}
			with := func(i int, b ...byte) []byte { return slices.Replace(bytes.Clone(point), i, i+len(b), b...) }
			otherY := with(64, point[64]^1)
			onP384, err := asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 34})
			if err != nil {
				t.Fatal(err)
			}
			for _, test := range []struct {
				what, reason string
				der          []byte
			}{
				{"a compressed point", "no uncompressed point", spki(t, oidEC, parameters, append([]byte{2 | point[64]&1}, point[1:33]...))},
				{"a hybrid point", "no uncompressed point", spki(t, oidEC, parameters, with(0, 6|point[64]&1))},
				{"infinity", "no uncompressed point", spki(t, oidEC, parameters, []byte{0})},
				{"zeros", "no point of the curve " + name, spki(t, oidEC, parameters, append([]byte{4}, make([]byte, 64)...))},
				{"ones", "no point of the curve " + name, spki(t, oidEC, parameters, append([]byte{4}, bytes.Repeat([]byte{0xff}, 64)...))},
				{"another y", "no point of the curve " + name, spki(t, oidEC, parameters, otherY)},
				{"another x", "no point of the curve " + name, spki(t, oidEC, parameters, with(1, point[1]^0x80))},
				{"a byte less", "no uncompressed point", spki(t, oidEC, parameters, point[:64])},
				{"a byte more", "no uncompressed point", spki(t, oidEC, parameters, append(bytes.Clone(point), 0))},
				{"another curve", "not on the curve " + name, spki(t, oidEC, onP384, point)},
				{"no parameters", "not on the curve " + name, spki(t, oidEC, nil, point)},
				{"NULL for parameters", "not on the curve " + name, spki(t, oidEC, asn1.NullBytes, point)},
				{"another kind of key", "no key of an elliptic curve", spki(t, asn1.ObjectIdentifier{1, 2, 3}, parameters, point)},
			} {
				p, err := ParsePublicKey(a, test.der)
				if p != nil || !errors.Is(err, ErrPublicKey) || !strings.Contains(err.Error(), test.reason) {
					t.Errorf("%s: %v, want %q in the reason", test.what, err, test.reason)
				}
			}
		})
	}
}

// TestRSAPublicKeysOfOtherForms are refused although they name an RSA key.
func TestRSAPublicKeysOfOtherForms(t *testing.T) {
	key := testPair(t, AlgorithmRSA2048).half.(*rsaPrivate).key
	plain := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	pss := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	for name, der := range map[string][]byte{
		"no parameters":       spki(t, oidRSA, nil, plain),
		"restricted to PSS":   spki(t, pss, nil, plain),
		"PKCS#1":              plain,
		"a byte inside":       spki(t, oidRSA, asn1.NullBytes, append(bytes.Clone(plain), 0)),
		"other parameters":    spki(t, oidRSA, []byte{2, 1, 1}, plain),
		"nothing in the bits": spki(t, oidRSA, asn1.NullBytes, nil),
	} {
		if p, err := ParsePublicKey(AlgorithmRSA2048, der); p != nil || !errors.Is(err, ErrPublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := ParsePublicKey(AlgorithmRSA2048, spki(t, oidRSA, asn1.NullBytes, plain)); err != nil || p == nil {
		t.Errorf("the form that is right: %v", err)
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, number byte, der []byte) {
		a := Algorithm(number)
		p, err := ParsePublicKey(a, der)
		if err != nil {
			if p != nil || !errors.Is(err, ErrPublicKey) && !errors.Is(err, ErrAlgorithm) && !notApproved(err) {
				t.Fatalf("%v, %x: %v", a, der, err)
			}
			return
		}
		if !bytes.Equal(p.DER(), der) || p.Algorithm() != a {
			t.Fatalf("%v, %x: is %x when written again", a, der, p.DER())
		}
		// Whatever was taken can be used.
		for _, s := range a.SignatureSchemes() {
			if ok, err := p.Verify(s, make([]byte, DigestBytes), der); ok || err != nil && !notApproved(err) {
				t.Fatalf("%v, %x, %s: %v, %v", a, der, s, ok, err)
			}
		}
		for _, s := range a.EncryptionSchemes() {
			ciphertext, err := p.Encrypt(s, []byte("text"))
			if err != nil && !notApproved(err) || err == nil && len(ciphertext) != a.CiphertextBytes(s, 4) {
				t.Fatalf("%v, %x, %s: %d bytes, %v", a, der, s, len(ciphertext), err)
			}
		}
	})
}

func FuzzParsePrivateKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, number byte, material []byte) {
		a := Algorithm(number)
		k, err := ParsePrivateKey(a, material)
		if err != nil {
			if k != nil || !errors.Is(err, ErrPrivateKey) && !errors.Is(err, ErrAlgorithm) && !notApproved(err) {
				t.Fatalf("%v, %x: %v", a, material, err)
			}
			return
		}
		if !mustMarshal(t, k).Equal(material) || k.Algorithm() != a {
			t.Fatalf("%v, %x: is written again as something else", a, material)
		}
		if err := checkPair(a, material); err != nil {
			t.Fatalf("%v, %x: taken, but %v", a, material, err)
		}
	})
}

// FuzzSecp256k1Signature compares the library's decoder of signatures with encoding/asn1 and the rules of ECDSA.
func FuzzSecp256k1Signature(f *testing.F) {
	n := secp256k1.Params().N
	f.Fuzz(func(t *testing.T, der []byte) {
		var pair struct{ R, S *big.Int }
		rest, err := asn1.Unmarshal(der, &pair)
		want := err == nil && len(rest) == 0 && bytes.Equal(derPair(t, pair.R, pair.S), der) &&
			pair.R.Sign() > 0 && pair.S.Sign() > 0 && pair.R.Cmp(n) < 0 && pair.S.Cmp(n) < 0
		got, err := secpdsa.ParseDERSignature(der)
		if (err == nil) != want {
			t.Fatalf("%x: %v, want it taken: %v", der, err, want)
		}
		if err != nil {
			return
		}
		r, s := got.R(), got.S()
		if rBytes, sBytes := r.Bytes(), s.Bytes(); !bytes.Equal(rBytes[:], scalar(pair.R)) || !bytes.Equal(sBytes[:], scalar(pair.S)) {
			t.Fatalf("%x: read as other numbers", der)
		}
	})
}
