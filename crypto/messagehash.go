package crypto

import (
	"crypto/sha256"
	"hash"
	"slices"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// sm2UserID is the user id in Z(A) for who has no other (GM/T 0009 section 10).
const sm2UserID = "1234567812345678"

// NewHash returns the hash that turns a message into the digest that the scheme signs: SHA-256, or for SM2DSA SM3 over
// Z(A), which is in it already, and the message (GB/T 32918.2 section 6.1). Errors: [ErrScheme], [ErrNotApproved].
func (p *PublicKey) NewHash(s SignatureScheme) (hash.Hash, error) {
	if !slices.Contains(p.algorithm.info().signature, s) {
		return nil, ErrScheme
	}
	if err := s.Available(); err != nil {
		return nil, err
	}
	half, ok := p.half.(*sm2Public)
	if !ok {
		return sha256.New(), nil
	}
	za, err := sm2.CalculateZA(half.key, []byte(sm2UserID))
	if err != nil {
		return nil, err
	}
	h := &sm2Hash{sm3.New(), za}
	h.Reset()
	return h, nil
}

// sm2Hash is SM3 that begins with Z(A).
type sm2Hash struct {
	hash.Hash
	za []byte
}

// Reset implements [hash.Hash].
func (h *sm2Hash) Reset() {
	h.Hash.Reset()
	h.Write(h.za)
}
