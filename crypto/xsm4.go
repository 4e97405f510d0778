package crypto

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/emmansun/gmsm/sm4"
)

// xsm4KeyBytes is the length of an SM4 key.
const xsm4KeyBytes = 16

// XSM4 is a ready-to-use key of XSM4-GCM: the construction of C2SP XAES-256-GCM with the block cipher SM4 (GB/T 32907)
// in place of AES-256. It is ours: no standard describes it, and it lies outside FIPS 140.
//
//	L  = SM4(K, 0^128)
//	K1 = L doubled in GF(2^128), as in CMAC
//	Kx = SM4(K, (0x00 || 0x01 || "X" || 0x00 || nonce[0:12]) XOR K1)
//	nonce || SM4-GCM(Kx, nonce[12:24], plaintext, aad)
//
// The key has 16 bytes, the nonce 24 random ones and the tag 16. A subkey is one block, so there is one CMAC and not
// two; SM4-GCM is that of RFC 8998. It is safe for concurrent use.
type XSM4 struct {
	block cipher.Block
	k1    [sm4.BlockSize]byte
}

// Format implements [fmt.Formatter]; it shows nothing of the key.
func (x *XSM4) Format(f fmt.State, _ rune) { redact(f) }

// NewXSM4 prepares key, which must have 16 bytes and is not kept. Errors: [ErrNotApproved], or another length.
func NewXSM4(key []byte) (*XSM4, error) {
	if err := AlgorithmXSM4GCM.Available(); err != nil {
		return nil, err
	}
	if len(key) != xsm4KeyBytes {
		return nil, fmt.Errorf("crypto: an XSM4-GCM key has %d bytes, not %d", xsm4KeyBytes, len(key))
	}
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("crypto: prepare SM4: %w", err)
	}
	x := &XSM4{block: block}
	cmacSubkey(block, &x.k1)
	return x, nil
}

// Algorithm implements [Cipher].
func (x *XSM4) Algorithm() Algorithm { return AlgorithmXSM4GCM }

// Seal implements [Cipher].
func (x *XSM4) Seal(dst, plaintext, aad []byte) []byte {
	w := borrowWorkspace()
	defer w.giveBack()
	return x.seal(w, dst, plaintext, aad)
}

func (x *XSM4) seal(w *workspace, dst, plaintext, aad []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(plaintext)+Overhead)
	rand.Read(w.half[:])
	rand.Read(w.nonce[:])
	// The nonce goes in last, so that a forbidden overlap is caught before anything is overwritten.
	dst = x.gcm(w).Seal(dst[:start+NonceBytes], w.nonce[:], plaintext, aad)
	copy(dst[start:], w.half[:])
	copy(dst[start+halfNonce:], w.nonce[:])
	return dst
}

// Open implements [Cipher].
func (x *XSM4) Open(dst, sealed, aad []byte) ([]byte, error) {
	w := borrowWorkspace()
	defer w.giveBack()
	return x.open(w, dst, sealed, aad)
}

func (x *XSM4) open(w *workspace, dst, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrOpen
	}
	copy(w.half[:], sealed)
	dst, err := x.gcm(w).Open(dst, sealed[halfNonce:NonceBytes], sealed[NonceBytes:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return dst, nil
}

// gcm returns SM4-GCM under the subkey of w.half.
func (x *XSM4) gcm(w *workspace) cipher.AEAD {
	m := w.subkey[:sm4.BlockSize]
	deriveBlock(x.block, &x.k1, m, 1, &w.half)
	block, err := sm4.NewCipher(m)
	if err != nil {
		panic("crypto: SM4 refuses a key of 16 bytes: " + err.Error())
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("crypto: GCM refuses an SM4 block: " + err.Error())
	}
	return gcm
}
