package crypto

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// skipUnlessAvailable skips in FIPS 140-only mode what that refuses; TestNotApproved sees that it does.
func skipUnlessAvailable(t testing.TB, a Algorithm) {
	t.Helper()
	if err := a.Available(); notApproved(err) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func mustCipher(t testing.TB, a Algorithm, material []byte) Cipher {
	t.Helper()
	x, err := NewCipher(a, material)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// testXSM4 returns the cipher of a fixed key, which it also returns.
func testXSM4(t testing.TB) (Cipher, []byte) {
	t.Helper()
	skipUnlessAvailable(t, AlgorithmXSM4GCM)
	key := counting(0x40, xsm4KeyBytes)
	return mustCipher(t, AlgorithmXSM4GCM, key), key
}

func TestXSM4SealOpensWithReference(t *testing.T) {
	skipUnlessAvailable(t, AlgorithmXSM4GCM)
	for _, size := range []int{0, 1, 15, 16, 17, 32, 255, 4096, 6144} {
		for _, aadSize := range []int{0, 1, 16, 300} {
			key, plaintext, aad := counting(byte(size), xsm4KeyBytes), counting(3, size), counting(5, aadSize)
			prefix := []byte("before")
			x := mustCipher(t, AlgorithmXSM4GCM, key)
			out := x.Seal(prefix, plaintext, aad)
			if !bytes.HasPrefix(out, prefix) {
				t.Fatalf("size %d: the bytes before were lost", size)
			}
			sealed := out[len(prefix):]
			if len(sealed) != size+Overhead {
				t.Fatalf("size %d: sealed to %d bytes", size, len(sealed))
			}
			got, err := referenceXSM4Open(key, sealed[:NonceBytes], sealed[NonceBytes:], aad)
			if err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("size %d, aad %d: the reference opens it to %x, %v", size, aadSize, got, err)
			}
			nonce := counting(byte(aadSize), NonceBytes)
			sealed = append(bytes.Clone(nonce), referenceXSM4Seal(key, nonce, plaintext, aad)...)
			got, err = x.Open([]byte("before"), sealed, aad)
			if err != nil || !bytes.Equal(got, append([]byte("before"), plaintext...)) {
				t.Errorf("size %d, aad %d: what the reference sealed opens to %x, %v", size, aadSize, got, err)
			}
		}
	}
}

func TestXSM4NoncesDiffer(t *testing.T) {
	x, _ := testXSM4(t)
	first, second := map[[halfNonce]byte]bool{}, map[[halfNonce]byte]bool{}
	for range 1000 {
		sealed := x.Seal(nil, nil, nil)
		first[[halfNonce]byte(sealed)] = true
		second[[halfNonce]byte(sealed[halfNonce:])] = true
	}
	if len(first) != 1000 || len(second) != 1000 {
		t.Errorf("1000 messages have %d first and %d second halves of nonces", len(first), len(second))
	}
}

func TestXSM4RefusesChangedMessages(t *testing.T) {
	x, _ := testXSM4(t)
	aad := []byte("aad")
	sealed := x.Seal(nil, []byte("plaintext"), aad)
	dst := []byte("before")
	refused := func(what string, x Cipher, sealed, aad []byte) {
		t.Helper()
		if got, err := x.Open(dst, sealed, aad); !errors.Is(err, ErrOpen) || got != nil {
			t.Errorf("%s: opens to %q, %v", what, got, err)
		}
	}
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d flipped", bit, i), x, changed, aad)
		}
		refused(fmt.Sprintf("cut to %d bytes", i), x, sealed[:i], aad)
	}
	refused("a byte more", x, append(bytes.Clone(sealed), 0), aad)
	refused("no aad", x, sealed, nil)
	refused("other aad", x, sealed, []byte("aae"))
	refused("other key", mustCipher(t, AlgorithmXSM4GCM, counting(1, xsm4KeyBytes)), sealed, aad)
	if got, err := x.Open(dst, sealed, aad); err != nil || string(got) != "beforeplaintext" {
		t.Errorf("the message itself opens to %q, %v", got, err)
	}
}

func TestXSM4OverlapIsNeverSilent(t *testing.T) {
	x, _ := testXSM4(t)
	for _, offset := range []int{0, 1, 8, 20, 24, 25, 40, 60, 74, 100} {
		buffer := make([]byte, 200)
		plaintext := buffer[offset:][:50]
		copy(plaintext, counting(7, 50))
		sealed, panicked := func() (sealed []byte, panicked bool) {
			defer func() { panicked = recover() != nil }()
			return x.Seal(buffer[:0], plaintext, nil), false
		}()
		if panicked {
			continue
		}
		if got, err := x.Open(nil, sealed, nil); err != nil || !bytes.Equal(got, counting(7, 50)) {
			t.Errorf("plaintext at byte %d of the room behind dst: sealed something else: %x, %v", offset, got, err)
		}
	}
}

func TestNewCipherTakesTheMaterialOfItsAlgorithm(t *testing.T) {
	for a := range Algorithm(len(algorithms) + 1) {
		for _, size := range []int{0, 15, 16, 17, 24, 31, 32, 33, 64} {
			x, err := NewCipher(a, make([]byte, size))
			switch {
			case !a.Symmetric():
				if x != nil || !errors.Is(err, ErrAlgorithm) {
					t.Errorf("%v with %d bytes: %v, %v", a, size, x, err)
				}
			case notApproved(a.Available()):
				if x != nil || !errors.Is(err, ErrNotApproved) {
					t.Errorf("%v with %d bytes in FIPS 140-only mode: %v, %v", a, size, x, err)
				}
			case size == a.MaterialBytes():
				if err != nil || x.Algorithm() != a {
					t.Errorf("%v with its %d bytes: %v", a, size, err)
				}
			case x != nil || err == nil:
				t.Errorf("%v takes %d bytes", a, size)
			}
		}
	}
}

func TestNewMaterial(t *testing.T) {
	for a, want := range map[Algorithm]int{AlgorithmXAES256GCM: 32, AlgorithmXSM4GCM: 16, AlgorithmRSA2048: 0, AlgorithmSM2: 0, 0: 0, 200: 0} {
		first, second := NewMaterial(a), NewMaterial(a)
		if len(first) != want || len(second) != want || want > 0 && first.Equal(second) {
			t.Errorf("%v: %d and %d bytes, the same %v", a, len(first), len(second), first.Equal(second))
		}
	}
}

func TestBlobIsTiedToItsAlgorithm(t *testing.T) {
	sm4Cipher, _ := testXSM4(t)
	xaes := mustXAES(t, testKey)
	h := testHeader
	h.Algorithm = AlgorithmXSM4GCM
	c := mustContext(t, testContext)
	blob, err := SealBlob(nil, sm4Cipher, h, c, []byte("plaintext"))
	if err != nil {
		t.Fatal(err)
	}
	if len(blob) != BlobBytes(h.Region, len("plaintext")) {
		t.Errorf("%d bytes, BlobBytes says %d", len(blob), BlobBytes(h.Region, len("plaintext")))
	}
	b, err := ParseBlob(blob)
	if err != nil || b.Header != h || b.PlaintextBytes() != len("plaintext") {
		t.Fatalf("parsed to %+v, %v", b.Header, err)
	}
	if got, err := b.Open(nil, sm4Cipher, c); err != nil || string(got) != "plaintext" {
		t.Errorf("opens to %q, %v", got, err)
	}
	if got, err := b.Open(nil, xaes, c); got != nil || !errors.Is(err, ErrOpen) {
		t.Errorf("under a cipher of %v: %q, %v", xaes.Algorithm(), got, err)
	}
	for _, h := range []Header{testHeader, h} {
		x := Cipher(sm4Cipher)
		if h.Algorithm == AlgorithmXSM4GCM {
			x = xaes
		}
		if blob, err := SealBlob(nil, x, h, c, nil); err == nil {
			t.Errorf("%v sealed a blob of %v: %x", x.Algorithm(), h.Algorithm, blob)
		}
	}
	for i := range blob {
		for bit := range 8 {
			changed := bytes.Clone(blob)
			changed[i] ^= 1 << bit
			got, err := openBytes(sm4Cipher, changed, c)
			if got != nil || !errors.Is(err, ErrOpen) && !errors.Is(err, ErrNotBlob) {
				t.Errorf("bit %d of byte %d flipped: opens to %q, %v", bit, i, got, err)
			}
		}
	}
}

// The algorithm in a header is checked, not merely authenticated: here a cipher has sealed what claims another's.
func TestBlobOpensUnderItsAlgorithmOnly(t *testing.T) {
	x := mustXAES(t, testKey)
	for _, a := range []Algorithm{AlgorithmXAES256GCM, AlgorithmXSM4GCM} {
		h := testHeader
		h.Algorithm = a
		header := referenceHeader(h)
		b, err := ParseBlob(x.Seal([]byte(header), []byte("plaintext"), referenceBlobAAD(header, nil)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Open(nil, x, Context{})
		if a == x.Algorithm() && string(got) != "plaintext" || a != x.Algorithm() && !errors.Is(err, ErrOpen) {
			t.Errorf("%v, sealed under %v: opens to %q, %v", a, x.Algorithm(), got, err)
		}
	}
}
