package api

import (
	"crypto/sha256"
	"sync"
	"unsafe"
)

const (
	// minBuffer is the first size of a pooled buffer: a request with 4 KiB of plaintext fits.
	minBuffer = 16 << 10
	// maxPooled is the largest buffer that is kept for the next request.
	maxPooled = 256 << 10
)

// exchange holds everything that one request needs, ready for the next one once it is wiped: requests carry
// plaintext in query and body, and answers carry it out.
type exchange struct {
	call    Call
	answer  Answer
	params  Params // backing array of call.Params
	decoded []byte // decoded names and values
	body    []byte
	rows    bool // the body holds rows of a batch action
	signer  signer
	claim   claim
	bodies  *bodyBudget // nil: no limit
	ofRows  *bodyBudget // takes the place of bodies where the body holds rows
	charged int64       // bytes taken of bodies
}

// exchangePool keeps exchanges between requests.
type exchangePool struct{ pool sync.Pool }

func (p *exchangePool) take() *exchange {
	if x, ok := p.pool.Get().(*exchange); ok {
		return x
	}
	x := &exchange{params: make(Params, 0, 32)}
	x.answer.open = make([]string, 0, 8)
	x.call.Answer = &x.answer
	x.signer.digest = sha256.New()
	return x
}

// prepare makes the buffers that an exchange needs once the request has arrived: one that waits for a body does without.
// Buffers of earlier requests are used again. They are large enough for nearly all requests, since one that is outgrown
// is left behind as it is.
func (x *exchange) prepare() {
	x.answer.buf = grow(x.answer.buf, minBuffer)
	x.call.scratch = grow(x.call.scratch, minBuffer)
}

// release wipes an exchange and keeps it for the next request.
func (p *exchangePool) release(x *exchange) {
	x.settle()
	x.bodies, x.ofRows = nil, nil
	x.answer.wipe()
	wipe(&x.decoded)
	wipe(&x.body)
	x.rows = false
	if cap(x.body) > minBuffer {
		x.body = nil // the next request with one may never send it
	}
	wipe(&x.call.scratch)
	for i := range x.call.retired {
		wipe(&x.call.retired[i])
	}
	x.signer.wipe()
	clear(x.params[:cap(x.params)])
	x.params = x.params[:0]
	x.claim = claim{}
	x.call = Call{Answer: &x.answer, scratch: x.call.scratch}
	p.pool.Put(x)
}

// wipe clears a buffer up to its length and empties it; one that has grown too large is dropped.
func wipe(b *[]byte) {
	clear(*b)
	*b = (*b)[:0]
	if cap(*b) > maxPooled {
		*b = nil
	}
}

// grow returns an empty buffer with room for n bytes, b if it has that.
func grow(b []byte, n int) []byte {
	if cap(b) >= n {
		return b[:0]
	}
	return make([]byte, 0, max(n, minBuffer))
}

// stringOf returns a string that shares b's memory: it is valid as long as b is not changed.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns the bytes of s, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
