//go:build faults

package faults

import (
	"context"
	"math/rand/v2"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// answers, as far as the suite looks at them.
type answer struct {
	KeyId          string
	CiphertextBlob string
	Plaintext      string
	KeyMetadata    struct{ KeyId, KeyState, Description string }
}

// caller makes requests for one worker and records each.
type caller struct {
	name    string
	nodes   []*node
	clients map[*node]*client.Client
	history *history
	part    *part
	rand    *rand.Rand
}

// newCaller makes a caller with connections of its own to each node.
func newCaller(name string, nodes []*node, h *history, source *rand.Rand) (*caller, error) {
	c := &caller{name: name, nodes: nodes, history: h, part: h.part(), clients: map[*node]*client.Client{}, rand: source}
	for _, n := range nodes {
		one, err := client.New(client.Config{
			Endpoints: []string{"http://" + n.api}, AccessKeyID: accessKey, Secret: crypto.Secret(secret), Timeout: 20 * time.Second,
		})
		if err != nil {
			return nil, err
		}
		c.clients[n] = one
	}
	return c, nil
}

func (c *caller) close() {
	for _, one := range c.clients {
		one.Close()
	}
}

// call makes one request to one node. out may be nil.
func (c *caller) call(ctx context.Context, n *node, o op, params map[string]string, out *answer) op {
	o.Worker, o.Node = c.name, n.id
	if out == nil {
		out = new(answer)
	}
	c.history.gate.RLock()
	defer c.history.gate.RUnlock()
	o.Start = c.history.now()
	resp, err := c.clients[n].Call(ctx, o.Action, params, out)
	o.End = c.history.now()
	o.settle(resp, err)
	return o
}

// try makes one request to one node and records it, unless the run ended
// meanwhile and the request with it.
func (c *caller) try(ctx context.Context, n *node, o op, params map[string]string, out *answer) op {
	o = c.call(ctx, n, o, params, out)
	c.record(ctx, o)
	return o
}

func (c *caller) record(ctx context.Context, o op) {
	if ctx.Err() == nil || o.Outcome == done || o.Outcome == refused || o.write() {
		c.part.add(o)
	}
}

// anywhere makes a request as a real client does: at one node, and when that
// refuses the connection or says that it cannot answer, at the next.
func (c *caller) anywhere(ctx context.Context, first *node, o op, params map[string]string, out *answer) op {
	at := 0
	for i, n := range c.nodes {
		if n == first {
			at = i
		}
	}
	for i := range c.nodes {
		last := c.try(ctx, c.nodes[(at+i)%len(c.nodes)], o, params, out)
		retry := last.Outcome == unavailable || last.Outcome == unreachable || last.Outcome == broken
		if !retry || i == len(c.nodes)-1 || ctx.Err() != nil {
			return last
		}
	}
	panic("unreachable")
}

// any is a node by chance.
func (c *caller) any() *node { return c.nodes[c.rand.IntN(len(c.nodes))] }

// pause waits for about d.
func (c *caller) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d/2 + time.Duration(c.rand.Int64N(int64(d))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
