package crypto

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
)

func TestPlaintextLengths(t *testing.T) {
	for _, test := range []struct {
		a      Algorithm
		s      EncryptionScheme
		least  int
		most   int
		length func(plaintext int) int
	}{
		{AlgorithmRSA2048, RSAESOAEPSHA256, 0, 190, func(int) int { return 256 }},
		{AlgorithmRSA2048, RSAESOAEPSHA1, 0, 214, func(int) int { return 256 }},
		{AlgorithmRSA3072, RSAESOAEPSHA256, 0, 318, func(int) int { return 384 }},
		{AlgorithmRSA3072, RSAESOAEPSHA1, 0, 342, func(int) int { return 384 }},
		{AlgorithmSM2, SM2PKE, 1, 6047, func(n int) int { return n + 97 }},
	} {
		if got := test.a.MaxPlaintext(test.s); got != test.most {
			t.Errorf("%v, %s: at most %d bytes, want %d", test.a, test.s, got, test.most)
		}
		if test.a.CiphertextBytes(test.s, test.least-1) != 0 || test.a.CiphertextBytes(test.s, test.most+1) != 0 {
			t.Errorf("%v, %s: has a ciphertext of what is too short or too long", test.a, test.s)
		}
		if notApproved(test.s.Available()) {
			continue
		}
		k := testPair(t, test.a)
		for _, size := range []int{test.least, test.least + 1, 32, test.most - 1, test.most} {
			plaintext := counting(byte(size), size)
			ciphertext := mustEncrypt(t, k.Public(), test.s, plaintext)
			if want := test.length(size); len(ciphertext) != want || test.a.CiphertextBytes(test.s, size) != want {
				t.Errorf("%v, %s: %d bytes give %d, CiphertextBytes says %d, want %d", test.a, test.s, size, len(ciphertext), test.a.CiphertextBytes(test.s, size), want)
			}
			got, err := k.Decrypt(test.s, ciphertext)
			if err != nil || !got.Equal(plaintext) {
				t.Errorf("%v, %s: %d bytes decrypt to %d, %v", test.a, test.s, size, len(got), err)
			}
			if bytes.Equal(ciphertext, mustEncrypt(t, k.Public(), test.s, plaintext)) {
				t.Errorf("%v, %s: two ciphertexts are the same", test.a, test.s)
			}
		}
		for _, size := range []int{test.least - 1, test.most + 1, test.most + 1000} {
			if size < 0 {
				continue
			}
			if got, err := k.Public().Encrypt(test.s, make([]byte, size)); got != nil || !errors.Is(err, ErrPlaintextLength) {
				t.Errorf("%v, %s: %d bytes give %d, %v", test.a, test.s, size, len(got), err)
			}
		}
	}
}

// refusedCiphertext fails unless the ciphertext is refused with the one error, in its one text.
func refusedCiphertext(t *testing.T, k *PrivateKey, s EncryptionScheme, what string, ciphertext []byte) {
	t.Helper()
	got, err := k.Decrypt(s, ciphertext)
	if got != nil || !errors.Is(err, ErrDecrypt) || err.Error() != ErrDecrypt.Error() {
		t.Errorf("%s, %s: decrypts to %d bytes, %v", s, what, len(got), err)
	}
	got, err = k.DecryptImport(s, ciphertext, 32)
	if got != nil || !errors.Is(err, ErrDecrypt) || err.Error() != ErrDecrypt.Error() {
		t.Errorf("%s, %s: imports %d bytes, %v", s, what, len(got), err)
	}
}

func TestChangedCiphertextsAreRefused(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		for _, s := range k.Algorithm().EncryptionSchemes() {
			if notApproved(s.Available()) {
				continue
			}
			ciphertext := mustEncrypt(t, k.Public(), s, counting(1, 32))
			step := 1
			if k.Algorithm() != AlgorithmSM2 {
				step = 7 // a private operation takes a millisecond or more
			}
			for i := 0; i < len(ciphertext); i += step {
				changed := bytes.Clone(ciphertext)
				changed[i] ^= 1 << (i % 8)
				refusedCiphertext(t, k, s, fmt.Sprintf("byte %d changed", i), changed)
				refusedCiphertext(t, k, s, fmt.Sprintf("cut to %d bytes", i), ciphertext[:i])
			}
			refusedCiphertext(t, k, s, "nothing", nil)
			refusedCiphertext(t, k, s, "a byte more", append(bytes.Clone(ciphertext), 0))
			refusedCiphertext(t, k, s, "a zero before", append([]byte{0}, ciphertext...))
			refusedCiphertext(t, k, s, "zeros", make([]byte, len(ciphertext)))
			refusedCiphertext(t, k, s, "ones", bytes.Repeat([]byte{0xff}, len(ciphertext)))
			for _, other := range k.Algorithm().EncryptionSchemes() {
				if other != s && other.Available() == nil {
					refusedCiphertext(t, k, other, "of scheme "+string(s), ciphertext)
				}
			}
			if got, err := k.Decrypt(s, ciphertext); err != nil || !got.Equal(counting(1, 32)) {
				t.Errorf("%s: the ciphertext itself: %v", s, err)
			}
		}
	})
}

func TestOAEPLabelIsEmpty(t *testing.T) {
	k := testPair(t, AlgorithmRSA2048)
	for label, want := range map[string]error{"": nil, "label": ErrDecrypt} {
		ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, k.half.(*rsaPrivate).key.Public().(*rsa.PublicKey), []byte("text"), []byte(label))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Decrypt(RSAESOAEPSHA256, ciphertext); !errors.Is(err, want) {
			t.Errorf("label %q: %v, want %v", label, err, want)
		}
	}
}

// An RSA ciphertext is as long as the modulus, also where the number in it is small: one without its leading zeros is
// another text for the same number, and refused.
func TestRSACiphertextsKeepTheirLeadingZeros(t *testing.T) {
	k := testPair(t, AlgorithmRSA2048)
	for {
		ciphertext := mustEncrypt(t, k.Public(), RSAESOAEPSHA256, []byte("text"))
		if ciphertext[0] != 0 {
			continue
		}
		if got, err := k.Decrypt(RSAESOAEPSHA256, ciphertext); err != nil || string(got) != "text" {
			t.Errorf("with its zero: %v", err)
		}
		refusedCiphertext(t, k, RSAESOAEPSHA256, "without its zero", ciphertext[1:])
		return
	}
}

func TestDecryptImport(t *testing.T) {
	eachPair(t, func(t *testing.T, k *PrivateKey) {
		a := k.Algorithm()
		for _, s := range a.EncryptionSchemes() {
			if notApproved(s.Available()) {
				continue
			}
			for _, size := range []int{16, 32} {
				material := counting(7, size)
				ciphertext := mustEncrypt(t, k.Public(), s, material)
				if got, err := k.DecryptImport(s, ciphertext, size); err != nil || !got.Equal(material) {
					t.Errorf("%s: %d bytes: %v", s, size, err)
				}
				for _, other := range []int{size - 1, size + 1, 48 - size, 64} {
					got, err := k.DecryptImport(s, ciphertext, other)
					if got != nil || err == nil || other >= minImportBytes && err.Error() != ErrDecrypt.Error() {
						t.Errorf("%s: %d bytes as %d: %v", s, size, other, err)
					}
				}
			}
		}
		for _, size := range []int{-1, 0, 15} {
			if got, err := k.DecryptImport(RSAESOAEPSHA256, make([]byte, 256), size); got != nil || err == nil {
				t.Errorf("material of %d bytes: %v", size, err)
			}
		}
	})
}

func TestDecryptImportWithPKCS1(t *testing.T) {
	k := testPair(t, AlgorithmRSA2048)
	if err := RSAESPKCS1v15.Available(); err != nil {
		if got, err := k.DecryptImport(RSAESPKCS1v15, make([]byte, 256), 32); got != nil || !errors.Is(err, ErrNotApproved) {
			t.Errorf("in FIPS 140-only mode: %v", err)
		}
		return
	}
	public := &k.half.(*rsaPrivate).key.PublicKey
	encrypt := func(material []byte) []byte {
		//lint:ignore SA1019 it is what importers do
		ciphertext, err := rsa.EncryptPKCS1v15(rand.Reader, public, material)
		if err != nil {
			t.Fatal(err)
		}
		return ciphertext
	}
	for _, size := range []int{16, 32} {
		if got, err := k.DecryptImport(RSAESPKCS1v15, encrypt(counting(9, size)), size); err != nil || !got.Equal(counting(9, size)) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	changed := encrypt(counting(9, 32))
	changed[100] ^= 1
	for name, bad := range map[string][]byte{
		"material of 31 bytes": encrypt(counting(9, 31)), "material of 33 bytes": encrypt(counting(9, 33)), "no material": encrypt(nil),
		"OAEP": mustEncrypt(t, k.Public(), RSAESOAEPSHA256, counting(9, 32)), "a changed byte": changed, "zeros": make([]byte, 256),
	} {
		if got, err := k.DecryptImport(RSAESPKCS1v15, bad, 32); got != nil || err == nil || err.Error() != ErrDecrypt.Error() {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	for name, bad := range map[string][]byte{"nothing": nil, "a byte less": changed[1:], "a byte more": append([]byte{0}, changed...), "above the modulus": bytes.Repeat([]byte{0xff}, 256)} {
		if got, err := k.DecryptImport(RSAESPKCS1v15, bad, 32); got != nil || err == nil || err.Error() != ErrDecrypt.Error() {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
