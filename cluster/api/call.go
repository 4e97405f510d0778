package api

import (
	"strings"
	"time"

	"meridian/cluster"
	"meridian/cluster/access"
)

// Call is one authenticated request on its way to an answer. It, its parameters and its scratch space belong to the
// face, which wipes and reuses them as soon as the action has returned: keep nothing of it.
type Call struct {
	RequestID string // lower-case UUID
	Action    *Action
	Params    Params
	Body      []byte // rows of a batch action, see package batch; nil for every other
	Identity  *access.Identity
	Nonce     string
	Time      time.Time // the request's Timestamp; its nonce expires NonceWindow later
	Index     uint64    // index of the view that was answered from, sent as X-Meridian-Index; zero: of the node's state
	Wanted    cluster.ReadOptions
	Answer    *Answer

	server  *Server
	scratch []byte
	retired [][]byte // scratch that became too small, still to be wiped
}

// NonceWindow is how far a request's time may be from the node's clock, either way, and how long after that time its
// nonce is remembered.
const NonceWindow = 15 * time.Minute

// Scratch returns an empty slice with room for n bytes that no other part of the request uses. It is wiped when the
// action has returned.
func (c *Call) Scratch(n int) []byte {
	at := len(c.scratch)
	if cap(c.scratch)-at < n {
		c.retired = append(c.retired, c.scratch)
		c.scratch = make([]byte, 0, max(n, minBuffer))
		at = 0
	}
	c.scratch = c.scratch[:at+n]
	return c.scratch[at : at : at+n]
}

// ownParams copies the parameters out of the buffer that is going to be wiped, into one string.
func (c *Call) ownParams() {
	size := 0
	for i := range c.Params {
		size += len(c.Params[i].Name) + len(c.Params[i].Value)
	}
	var all strings.Builder
	all.Grow(size + len(c.Nonce))
	for i := range c.Params {
		all.WriteString(c.Params[i].Name)
		all.WriteString(c.Params[i].Value)
	}
	all.WriteString(c.Nonce)
	text := all.String()
	for i := range c.Params {
		p := &c.Params[i]
		n, v := len(p.Name), len(p.Value)
		p.Name, p.Value, text = text[:n], text[n:n+v], text[n+v:]
	}
	c.Nonce = text
}
