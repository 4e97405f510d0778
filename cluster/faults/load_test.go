//go:build faults

package faults

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// load is the clients of one run.
type load struct {
	t       testing.TB
	region  *region
	history *history
	seed    uint64

	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup
	streams uint64

	stable   string // a key that nothing changes
	blob     string // something sealed under it
	counters *counters

	mu        sync.Mutex
	stale     []string // acknowledged-then-read trials that failed
	trials    int
	unhandled []string // requests that a retrying client saw fail
	retried   int
}

// sizes says how many workers of each kind run.
type sizes struct{ writers, readers, crypto, trials, contenders int }

var usual = sizes{writers: 4, readers: 4, crypto: 2, trials: 16, contenders: 3}

func newLoad(t testing.TB, r *region, seed uint64) *load {
	l := &load{t: t, region: r, history: newHistory(), seed: seed, counters: &counters{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// caller makes a caller with random choices of its own.
func (l *load) caller(name string) *caller {
	l.t.Helper()
	l.mu.Lock()
	l.streams++
	stream := l.streams
	l.mu.Unlock()
	c, err := newCaller(name, l.region.nodes, l.history, rand.New(rand.NewPCG(l.seed, stream)))
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// begin makes what the workers need and starts them.
func (l *load) begin(s sizes) {
	l.t.Helper()
	setup := l.caller("setup")
	defer setup.close()
	l.stable = l.mustCreateKey(setup)
	out := answer{}
	sealed := setup.anywhere(l.ctx, setup.any(), op{Action: "Encrypt", Object: l.stable}, map[string]string{"KeyId": l.stable, "Plaintext": plaintext}, &out)
	if sealed.Outcome != done {
		l.t.Fatalf("Encrypt: %+v", sealed)
	}
	l.blob = out.CiphertextBlob

	start := func(count int, name string, work func(ctx context.Context, c *caller)) {
		for i := range count {
			c := l.caller(name + strconv.Itoa(i))
			l.workers.Go(func() {
				defer c.close()
				work(l.ctx, c)
			})
		}
	}
	start(s.writers, "writer", l.writeCounters)
	start(s.readers, "reader", l.readCounters)
	start(s.trials, "trial", l.tryVisibility)
	start(s.contenders, "contender", l.contend)
	for _, n := range l.region.nodes {
		start(s.crypto, "crypto-"+n.id+"-", func(ctx context.Context, c *caller) { l.pinnedCrypto(ctx, c, n) })
	}
	start(s.crypto, "roaming", l.roamingCrypto)
}

// end stops the workers and waits for them.
func (l *load) end() {
	l.stop()
	l.workers.Wait()
}

var plaintext = base64.StdEncoding.EncodeToString([]byte("sealed before the fault"))

// mustCreateKey makes a key, trying until it is made.
func (l *load) mustCreateKey(c *caller) string {
	id, ok := l.createKey(l.ctx, c, "")
	if !ok {
		l.t.Fatal("no key could be made")
	}
	return id
}

// createKey makes a key, trying until it is made or the run ends. A key whose
// making has an unknown outcome is nobody's.
func (l *load) createKey(ctx context.Context, c *caller, description string) (string, bool) {
	for ctx.Err() == nil {
		out := answer{}
		o := c.anywhere(ctx, c.any(), op{Action: "CreateKey"}, map[string]string{"Description": description}, &out)
		if o.Outcome == done {
			return out.KeyMetadata.KeyId, true
		}
		c.pause(ctx, 20*time.Millisecond)
	}
	return "", false
}

// check counts a request that a retrying client had to give up on.
func (l *load) check(ctx context.Context, o op) {
	if o.Outcome == done || o.Outcome == refused || ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retried++
	if len(l.unhandled) < 20 {
		l.unhandled = append(l.unhandled, fmt.Sprintf("%s of %s at %s at %v: %s %s %s", o.Action, o.Worker, o.Node, time.Duration(o.Start), o.Outcome, o.Code, o.Error))
	}
}

// pinnedCrypto seals and opens at one node, all the time: what clients of a node
// see of faults elsewhere.
func (l *load) pinnedCrypto(ctx context.Context, c *caller, n *node) {
	for i := 0; ctx.Err() == nil; i++ {
		l.oneCrypto(i, func(o op, params map[string]string, out *answer) op { return c.try(ctx, n, o, params, out) })
		c.pause(ctx, 4*time.Millisecond)
	}
}

// roamingCrypto does the same as a client that asks another node when one does
// not answer.
func (l *load) roamingCrypto(ctx context.Context, c *caller) {
	for i := 0; ctx.Err() == nil; i++ {
		l.check(ctx, l.oneCrypto(i, func(o op, params map[string]string, out *answer) op {
			return c.anywhere(ctx, c.any(), o, params, out)
		}))
		c.pause(ctx, 4*time.Millisecond)
	}
}

func (l *load) oneCrypto(i int, do func(o op, params map[string]string, out *answer) op) op {
	out := answer{}
	switch i % 3 {
	case 0:
		return do(op{Action: "GenerateDataKey", Object: l.stable}, map[string]string{"KeyId": l.stable}, &out)
	case 1:
		return do(op{Action: "Encrypt", Object: l.stable}, map[string]string{"KeyId": l.stable, "Plaintext": plaintext}, &out)
	}
	o := do(op{Action: "Decrypt", Object: l.stable}, map[string]string{"CiphertextBlob": l.blob}, &out)
	if o.Outcome == done && out.Plaintext != plaintext {
		l.fail(fmt.Sprintf("Decrypt at %s returned other bytes", o.Node))
	}
	return o
}

// fail notes a wrong answer.
func (l *load) fail(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale = append(l.stale, text)
}
