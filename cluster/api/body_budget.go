package api

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// maxBodiesInFlight bounds, for the whole server, the memory of requests whose bodies have not arrived or whose
	// callers are not known yet. Anybody who can connect can have it taken.
	maxBodiesInFlight = 64 << 20
	// waitingRequest is about what a request takes besides head and body while it waits, in bytes: its goroutine, and the
	// state of its stream.
	waitingRequest = 8 << 10
	// firstBody is the first size of the buffer for a body; most requests fit.
	firstBody = 4 << 10
)

// maxRowsInFlight bounds, for the whole server, the bodies of batch actions from their first byte until they are answered.
// They are up to sixteen times as large as others, wait for a slot, and take up to four times their length in all; and
// they have a budget of their own, so that no other request is refused for them.
const maxRowsInFlight = 32 << 20

// bodyBudget counts the memory of requests that wait for their bodies.
type bodyBudget struct {
	inFlight atomic.Int64
	limit    int64
}

// charge takes n bytes of the budget, until settle.
func (x *exchange) charge(n int) *Error {
	b := x.bodies
	if b == nil {
		return nil
	}
	x.charged += int64(n)
	if b.inFlight.Add(int64(n)) > b.limit {
		return errThrottled("too many request bodies are on their way", time.Second)
	}
	return nil
}

// settle gives back what the exchange took of the budget.
func (x *exchange) settle() {
	if x.charged > 0 {
		x.bodies.inFlight.Add(-x.charged)
		x.charged = 0
	}
}

// headBytes is about the length of a request's head.
func headBytes(r *http.Request) int {
	n := len(r.URL.RawQuery)
	for name, values := range r.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}
