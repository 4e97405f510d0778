package crypto

import (
	"bytes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"testing"

	"github.com/emmansun/gmsm/sm4"
)

// This file is a second SM4 and a second XSM4-GCM, written from GB/T 32907 and from the specification at XSM4. They
// share no code with the package or with the library that it uses.

// referenceSM4 is a block cipher that encrypts only, as GCM needs.
type referenceSM4 struct{ round [32]uint32 }

var sm4SBox = func() (box [256]byte) {
	const table = "d690e9fecce13db716b614c228fb2c052b679a762abe04c3aa441326498606999c4250f491ef987a33540b43edcfac62" +
		"e4b31ca9c908e89580df94fa758f3fa64707a7fcf37317ba83593c19e6854fa8686b81b27164da8bf8eb0f4b70569d35" +
		"1e240e5e6358d1a225227c3b01217887d40046579fd327524c3602e7a0c4c89eeabf8ad240c738b5a3f7f2cef96115a1" +
		"e0ae5da49b341a55ad933230f58cb1e31df6e22e8266ca60c02923ab0d534e6fd5db3745defd8e2f03ff6a726d6c5b51" +
		"8d1baf92bbddbc7f11d95c411f105ad80ac13188a5cd7bbd2d74d012b8e5b4b08969974a0c96777e65b9f109c56ec684" +
		"18f07dec3adc4d2079ee5f3ed7cb3948"
	b, err := hex.DecodeString(table)
	if err != nil || len(b) != len(box) {
		panic("the S-box is mistyped")
	}
	copy(box[:], b)
	return box
}()

// sm4Substitute applies the S-box to each byte of a word.
func sm4Substitute(x uint32) uint32 {
	b := binary.BigEndian.AppendUint32(nil, x)
	for i := range b {
		b[i] = sm4SBox[b[i]]
	}
	return binary.BigEndian.Uint32(b)
}

func newReferenceSM4(key []byte) *referenceSM4 {
	k := [4]uint32{0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc}
	for i := range k {
		k[i] ^= binary.BigEndian.Uint32(key[4*i:])
	}
	c := new(referenceSM4)
	for i := range c.round {
		var constant uint32
		for j := range 4 {
			constant = constant<<8 | uint32((4*i+j)*7%256)
		}
		x := sm4Substitute(k[1] ^ k[2] ^ k[3] ^ constant)
		c.round[i] = k[0] ^ x ^ bits.RotateLeft32(x, 13) ^ bits.RotateLeft32(x, 23)
		k = [4]uint32{k[1], k[2], k[3], c.round[i]}
	}
	return c
}

func (c *referenceSM4) BlockSize() int { return 16 }

func (c *referenceSM4) Encrypt(dst, src []byte) {
	var x [4]uint32
	for i := range x {
		x[i] = binary.BigEndian.Uint32(src[4*i:])
	}
	for _, key := range c.round {
		y := sm4Substitute(x[1] ^ x[2] ^ x[3] ^ key)
		y ^= bits.RotateLeft32(y, 2) ^ bits.RotateLeft32(y, 10) ^ bits.RotateLeft32(y, 18) ^ bits.RotateLeft32(y, 24)
		x = [4]uint32{x[1], x[2], x[3], x[0] ^ y}
	}
	for i := range x {
		binary.BigEndian.PutUint32(dst[4*i:], x[3-i])
	}
}

func (c *referenceSM4) Decrypt(_, _ []byte) { panic("GCM decrypts no block") }

// referenceXSM4 hands the standard library's generic GCM under the subkey of nonce to use, and the nonce's rest.
func referenceXSM4(key, nonce []byte, use func(gcm cipher.AEAD, nonce []byte)) {
	block := newReferenceSM4(key)
	k1 := make([]byte, 16)
	block.Encrypt(k1, k1)
	hi, lo := binary.BigEndian.Uint64(k1), binary.BigEndian.Uint64(k1[8:])
	doubledHi, doubledLo := hi<<1|lo>>63, lo<<1
	if hi>>63 == 1 {
		doubledLo ^= 0x87
	}
	m := append([]byte{0, 1, 'X', 0}, nonce[:12]...)
	binary.BigEndian.PutUint64(m, binary.BigEndian.Uint64(m)^doubledHi)
	binary.BigEndian.PutUint64(m[8:], binary.BigEndian.Uint64(m[8:])^doubledLo)
	subkey := make([]byte, 16)
	block.Encrypt(subkey, m)
	fips140.WithoutEnforcement(func() { // for this test implementation alone
		gcm, err := cipher.NewGCM(newReferenceSM4(subkey))
		if err != nil {
			panic(err)
		}
		use(gcm, nonce[12:])
	})
}

// referenceXSM4Seal returns ciphertext and tag, without the nonce.
func referenceXSM4Seal(key, nonce, plaintext, aad []byte) (out []byte) {
	referenceXSM4(key, nonce, func(gcm cipher.AEAD, nonce []byte) { out = gcm.Seal(nil, nonce, plaintext, aad) })
	return out
}

// referenceXSM4Open opens ciphertext and tag.
func referenceXSM4Open(key, nonce, sealed, aad []byte) (out []byte, err error) {
	referenceXSM4(key, nonce, func(gcm cipher.AEAD, nonce []byte) { out, err = gcm.Open(nil, nonce, sealed, aad) })
	return out, err
}

// TestSM4Standard runs the two examples of GB/T 32907, appendix A, on both implementations.
func TestSM4Standard(t *testing.T) {
	key := mustHex(t, "0123456789abcdeffedcba9876543210")
	library, err := sm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]cipher.Block{"library": library, "reference": newReferenceSM4(key)} {
		x := bytes.Clone(key)
		block.Encrypt(x, x)
		if got := hex.EncodeToString(x); got != "681edf34d206965e86b3e94f536e4246" {
			t.Errorf("%s: encrypted once: %s", name, got)
		}
		if name == "reference" && (testing.Short() || raceDetector) {
			continue // it takes more than a second, and many with the race detector
		}
		for range 1_000_000 - 1 {
			block.Encrypt(x, x)
		}
		if got := hex.EncodeToString(x); got != "595298c7c6fd271f0402f804c33d3f66" {
			t.Errorf("%s: encrypted a million times: %s", name, got)
		}
	}
}

// TestSM4GCMStandard runs the example of RFC 8998, appendix A.1, on what XSM4 stands on and on the reference's GCM.
func TestSM4GCMStandard(t *testing.T) {
	skipUnlessAvailable(t, AlgorithmXSM4GCM)
	key, nonce := mustHex(t, "0123456789abcdeffedcba9876543210"), mustHex(t, "00001234567800000000abcd")
	aad := mustHex(t, "feedfacedeadbeeffeedfacedeadbeefabaddad2")
	var plaintext []byte
	for _, b := range []byte{0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0xee, 0xaa} {
		plaintext = append(plaintext, bytes.Repeat([]byte{b}, 8)...)
	}
	const want = "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735" +
		"d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" + "83de3541e4c2b58177e065a9bf7b62ec"
	library, err := sm4.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]cipher.Block{"library": library, "reference": newReferenceSM4(key)} {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(gcm.Seal(nil, nonce, plaintext, aad)); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
