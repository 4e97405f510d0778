package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// This file is a second implementation, written from the specifications and sharing no code with the package. It takes
// the nonce from its caller, which the package never does.

// referenceXAES is the detailed algorithm of C2SP XAES-256-GCM, step by step.
type referenceXAES struct {
	l, k1, m1, m2, kx, nx []byte
}

func newReferenceXAES(key, nonce []byte) referenceXAES {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	encrypt := func(b []byte) []byte {
		out := make([]byte, 16)
		block.Encrypt(out, b)
		return out
	}
	xor := func(a, b []byte) []byte {
		out := make([]byte, 16)
		for i := range out {
			out[i] = a[i] ^ b[i]
		}
		return out
	}
	var r referenceXAES
	r.l = encrypt(make([]byte, 16))
	hi, lo := binary.BigEndian.Uint64(r.l), binary.BigEndian.Uint64(r.l[8:])
	msb := hi >> 63
	hi, lo = hi<<1|lo>>63, lo<<1
	if msb == 1 {
		lo ^= 0b10000111
	}
	r.k1 = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, hi), lo)
	r.m1 = append([]byte{0x00, 0x01, 0x58, 0x00}, nonce[:12]...)
	r.m2 = append([]byte{0x00, 0x02, 0x58, 0x00}, nonce[:12]...)
	r.kx = append(encrypt(xor(r.m1, r.k1)), encrypt(xor(r.m2, r.k1))...)
	r.nx = nonce[12:]
	return r
}

// gcm lifts the FIPS 140-only mode, which rightly forbids chosen nonces, for this test implementation alone.
func (r referenceXAES) gcm(use func(cipher.AEAD)) {
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(r.kx)
		if err != nil {
			panic(err)
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			panic(err)
		}
		use(gcm)
	})
}

// referenceSeal returns ciphertext and tag, without the nonce.
func referenceSeal(key, nonce, plaintext, aad []byte) (out []byte) {
	r := newReferenceXAES(key, nonce)
	r.gcm(func(a cipher.AEAD) { out = a.Seal(nil, r.nx, plaintext, aad) })
	return out
}

// referenceOpen opens ciphertext and tag.
func referenceOpen(key, nonce, sealed, aad []byte) (out []byte, err error) {
	r := newReferenceXAES(key, nonce)
	r.gcm(func(a cipher.AEAD) { out, err = a.Open(nil, r.nx, sealed, aad) })
	return out, err
}

func referenceU32(n int) string {
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// referenceBlobHeader and referenceBlobAAD follow the specification at Blob.
func referenceBlobHeader(region string, key, version [16]byte) string {
	return referenceHeader(Header{AlgorithmXAES256GCM, region, key, version})
}

func referenceHeader(h Header) string {
	return "\x01" + string(rune(h.Algorithm)) + "\x00" + string(rune(len(h.Region))) + h.Region + string(h.KeyID[:]) + string(h.VersionID[:])
}

func referenceBlobAAD(header string, context map[string]string) []byte {
	names := make([]string, 0, len(context))
	for name := range context {
		names = append(names, name)
	}
	slices.Sort(names)
	parts := []string{"meridian/blob/1", referenceU32(len(header)), header, referenceU32(len(names))}
	for _, name := range names {
		value := context[name]
		parts = append(parts, referenceU32(len(name)), name, referenceU32(len(value)), value)
	}
	return []byte(strings.Join(parts, ""))
}

// referenceBlob seals a blob under a chosen nonce.
func referenceBlob(material, nonce []byte, h Header, context map[string]string, plaintext []byte) []byte {
	header := referenceHeader(h)
	seal := referenceSeal
	if h.Algorithm == AlgorithmXSM4GCM {
		seal = referenceXSM4Seal
	}
	return slices.Concat([]byte(header), nonce, seal(material, nonce, plaintext, referenceBlobAAD(header, context)))
}

// counting returns n bytes that count upwards from start.
func counting(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

func mustXAES(t testing.TB, key []byte) *XAES {
	t.Helper()
	x, err := NewXAES(key)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
