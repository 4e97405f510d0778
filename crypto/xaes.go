package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Sizes of XAES-256-GCM (C2SP XAES-256-GCM), in bytes.
const (
	KeyBytes   = 32 // the key, and a key version's material
	NonceBytes = 24 // the nonce that stands before each ciphertext
	TagBytes   = 16 // the tag that stands behind it

	// Overhead is how much longer a sealed message is than its plaintext.
	Overhead = NonceBytes + TagBytes
)

// halfNonce is the part of the nonce that derives the subkey. The other half is the nonce of AES-256-GCM, which the
// cryptographic module draws itself: in FIPS 140-only mode it takes none from outside (SP 800-38D, IG C.H scenario 2).
const halfNonce = NonceBytes / 2

// ErrOpen says that a message does not open: it was changed, or sealed under another key, header or context. The
// causes cannot be told apart.
var ErrOpen = errors.New("crypto: the message does not open under this key and context")

// XAES is a ready-to-use key of XAES-256-GCM (C2SP XAES-256-GCM): each message gets its own AES-256-GCM key, derived
// from half of a random nonce of 192 bits, so that no number of messages wears the key out. The AES key schedule and
// the CMAC subkey are computed once. It is safe for concurrent use.
type XAES struct {
	block cipher.Block
	k1    [aes.BlockSize]byte // CMAC subkey, SP 800-38B section 6.1
}

// Format implements [fmt.Formatter]; it shows nothing of the key.
func (x *XAES) Format(f fmt.State, _ rune) { redact(f) }

// NewXAES prepares key, which must have 32 bytes and is not kept.
func NewXAES(key []byte) (*XAES, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("crypto: an XAES-256-GCM key has %d bytes, not %d", KeyBytes, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("crypto: prepare AES-256: %w", err)
	}
	x := &XAES{block: block}
	cmacSubkey(block, &x.k1)
	return x, nil
}

// cmacSubkey turns zeros into K1 of a block cipher with blocks of 128 bits.
func cmacSubkey(block cipher.Block, k1 *[aes.BlockSize]byte) {
	block.Encrypt(k1[:], k1[:]) // L

	// K1 is L doubled in GF(2^128), without a branch on key bits.
	var carry byte
	for i := len(k1) - 1; i >= 0; i-- {
		carry, k1[i] = k1[i]>>7, k1[i]<<1|carry
	}
	k1[len(k1)-1] ^= -carry & 0b10000111
}

// Algorithm implements [Cipher].
func (x *XAES) Algorithm() Algorithm { return AlgorithmXAES256GCM }

// Seal encrypts plaintext, authenticates it with aad, and appends nonce (24), ciphertext and tag (16) to dst. The room
// behind dst must not overlap plaintext or aad.
func (x *XAES) Seal(dst, plaintext, aad []byte) []byte {
	w := borrowWorkspace()
	defer w.giveBack()
	return x.seal(w, dst, plaintext, aad)
}

func (x *XAES) seal(w *workspace, dst, plaintext, aad []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(plaintext)+Overhead)
	rand.Read(w.half[:])
	gcm := x.gcm(w)
	// The module writes the second half of the nonce, which it draws, before the ciphertext. Our half goes in last, so
	// that a forbidden overlap is caught by the module before anything is overwritten.
	dst = gcm.Seal(dst[:start+halfNonce], nil, plaintext, aad)
	copy(dst[start:], w.half[:])
	return dst
}

// Open appends to dst the plaintext of what Seal made from it under the same key and aad. It fails with [ErrOpen] and
// nothing else. The room behind dst must not overlap sealed or aad.
func (x *XAES) Open(dst, sealed, aad []byte) ([]byte, error) {
	w := borrowWorkspace()
	defer w.giveBack()
	return x.open(w, dst, sealed, aad)
}

func (x *XAES) open(w *workspace, dst, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrOpen
	}
	copy(w.half[:], sealed)
	dst, err := x.gcm(w).Open(dst, nil, sealed[halfNonce:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return dst, nil
}

// gcm returns AES-256-GCM under the subkey of w.half: CMAC-AES256 in counter mode (SP 800-108r1 section 4.1) with a
// counter of 16 bits, label "X" and the half nonce as context.
func (x *XAES) gcm(w *workspace) cipher.AEAD {
	deriveBlock(x.block, &x.k1, w.subkey[:aes.BlockSize], 1, &w.half)
	deriveBlock(x.block, &x.k1, w.subkey[aes.BlockSize:], 2, &w.half)
	block, err := aes.NewCipher(w.subkey[:])
	if err != nil {
		panic("crypto: AES-256 refuses a key of 32 bytes: " + err.Error())
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("crypto: GCM refuses an AES block: " + err.Error())
	}
	return gcm
}

// deriveBlock fills m, one block, with the CMAC of that block of the counter mode which counter numbers.
func deriveBlock(block cipher.Block, k1 *[aes.BlockSize]byte, m []byte, counter byte, half *[halfNonce]byte) {
	m[0], m[1], m[2], m[3] = 0, counter, 'X', 0
	copy(m[4:], half[:])
	subtle.XORBytes(m, m, k1[:])
	block.Encrypt(m, m)
}

// workspace is the memory of one operation. It comes from a pool because what is passed through the cipher interfaces
// cannot stay on the stack.
type workspace struct {
	half   [halfNonce]byte
	nonce  [NonceBytes - halfNonce]byte // the other half, where it is ours to draw
	subkey [KeyBytes]byte
	aad    []byte
}

// workspaceKeep is the largest AAD buffer, in bytes, that goes back to the pool; larger ones are rare.
const workspaceKeep = 16 << 10

var workspaces = sync.Pool{New: func() any { return &workspace{aad: make([]byte, 0, 256)} }}

func borrowWorkspace() *workspace { return workspaces.Get().(*workspace) }

func (w *workspace) giveBack() {
	clear(w.subkey[:])
	if cap(w.aad) > workspaceKeep {
		return
	}
	clear(w.aad)
	w.aad = w.aad[:0]
	workspaces.Put(w)
}
