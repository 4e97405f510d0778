package api

import "hash"

// unreserved marks the bytes that percent-encoding leaves alone: A-Z a-z 0-9 - _ . ~ (RFC 3986 §2.3).
var unreserved = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
	}
	return t
}()

const hexUpper = "0123456789ABCDEF"

// signer writes the text to sign into a hash, through a buffer of its own so that the hash sees large pieces.
type signer struct {
	hash   hash.Hash
	digest hash.Hash // SHA-256, for the canonical request of V3
	n      int
	high   int // bytes of buf that were ever used by this request
	buf    [4096]byte
	sum    [64]byte // a MAC or hash, and its hex form
	text   []byte   // nil but where the text itself is wanted, for an answer
	keep   bool     // collect text instead of hashing
}

// begin starts a text that goes into h; nil collects the text.
func (e *signer) begin(h hash.Hash) {
	e.hash, e.keep, e.n, e.text = h, h == nil, 0, nil
}

// flush hands the buffer on.
func (e *signer) flush() {
	e.high = max(e.high, e.n)
	if e.keep {
		e.text = append(e.text, e.buf[:e.n]...)
	} else {
		e.hash.Write(e.buf[:e.n])
	}
	e.n = 0
}

// wipe clears what the buffer held.
func (e *signer) wipe() {
	clear(e.buf[:max(e.high, e.n)])
	e.hash, e.text, e.n, e.high = nil, nil, 0, 0
}

// raw writes s as it is.
func (e *signer) raw(s string) {
	for len(s) > 0 {
		if e.n == len(e.buf) {
			e.flush()
		}
		n := copy(e.buf[e.n:], s)
		e.n += n
		s = s[n:]
	}
}

// once writes E(s): the bytes of s percent-encoded with upper-case digits.
func (e *signer) once(s string) { e.encode(s, "%") }

// twice writes E(E(s)): the percent signs of the first round are encoded again.
func (e *signer) twice(s string) { e.encode(s, "%25") }

// encode writes s with mark and two hex digits in place of every byte that is not unreserved. Runs of unreserved bytes
// are copied at once.
func (e *signer) encode(s, mark string) {
	const longest = len("%25XX")
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && unreserved[s[i]] {
			i++
		}
		if i > start {
			e.raw(s[start:i])
		}
		for i < len(s) && !unreserved[s[i]] {
			if e.n+longest > len(e.buf) {
				e.flush()
			}
			e.n += copy(e.buf[e.n:], mark)
			e.buf[e.n], e.buf[e.n+1] = hexUpper[s[i]>>4], hexUpper[s[i]&15]
			e.n += 2
			i++
		}
	}
}
