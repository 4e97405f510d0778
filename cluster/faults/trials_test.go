//go:build faults

package faults

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// tryVisibility writes at one node and, as soon as that is acknowledged, uses
// what was written at every node: none may answer from before.
func (l *load) tryVisibility(ctx context.Context, c *caller) {
	for round := 0; ctx.Err() == nil; round++ {
		key, ok := l.createKey(ctx, c, "")
		if !ok {
			return
		}
		other, ok := l.createKey(ctx, c, "")
		if !ok {
			return
		}
		for i := 0; ctx.Err() == nil; i++ {
			alias := fmt.Sprintf("alias/%s-%d-%d", c.name, round, i)
			if !l.oneCycle(ctx, c, key, other, alias) {
				break // something of it is unknown: begin with fresh keys
			}
		}
	}
}

// expectation is what Encrypt may answer after a write was acknowledged.
type expectation struct {
	after string
	use   string // key id or alias
	key   string // the key that it must be; empty: it must be refused
	code  string // of the refusal
}

// oneCycle goes through every change once. It returns false when one of them had
// an unknown outcome.
func (l *load) oneCycle(ctx context.Context, c *caller, key, other, alias string) bool {
	for _, s := range []struct {
		action string
		params map[string]string
		expect expectation
	}{
		{"DisableKey", map[string]string{"KeyId": key}, expectation{use: key, code: "Rejected.Disabled"}},
		{"EnableKey", map[string]string{"KeyId": key}, expectation{use: key, key: key}},
		{"CreateAlias", map[string]string{"KeyId": key, "AliasName": alias}, expectation{use: alias, key: key}},
		{"UpdateAlias", map[string]string{"KeyId": other, "AliasName": alias}, expectation{use: alias, key: other}},
		{"DeleteAlias", map[string]string{"AliasName": alias}, expectation{use: alias, code: "Forbidden.AliasNotFound"}},
	} {
		s.expect.after = s.action
		object := s.params["AliasName"]
		if object == "" {
			object = key
		}
		if !l.settleWrite(ctx, c, op{Action: s.action, Object: object}, s.params) {
			return false
		}
		l.judgeEverywhere(c, s.expect)
		c.pause(ctx, 2*time.Millisecond)
	}
	return true
}

// settleWrite makes a write at any node until it is done.
func (l *load) settleWrite(ctx context.Context, c *caller, o op, params map[string]string) bool {
	for ctx.Err() == nil {
		o = c.try(context.WithoutCancel(ctx), c.any(), o, params, nil)
		switch o.Outcome {
		case done:
			return true
		case refused:
			l.fail(fmt.Sprintf("%s of %s, the only one who writes %s, was refused at %s: %s", o.Action, c.name, o.Object, o.Node, o.Code))
			return false
		case unknown:
			return false
		}
		c.pause(ctx, 10*time.Millisecond)
	}
	return false
}

// judgeEverywhere uses a key or alias at every node at once.
func (l *load) judgeEverywhere(c *caller, e expectation) {
	var group sync.WaitGroup
	for _, n := range c.nodes {
		group.Go(func() { l.judge(context.Background(), c, n, e) })
	}
	group.Wait()
}

// judge makes one trial. Only a definite answer counts as one.
func (l *load) judge(ctx context.Context, c *caller, n *node, e expectation) op {
	out := answer{}
	o := c.try(ctx, n, op{Action: "Encrypt", Object: e.use}, map[string]string{"KeyId": e.use, "Plaintext": plaintext}, &out)
	if o.Outcome != done && o.Outcome != refused {
		return o
	}
	l.mu.Lock()
	l.trials++
	l.mu.Unlock()
	if o.Outcome == done && e.key != out.KeyId || o.Outcome == refused && (e.key != "" || o.Code != e.code) {
		got := "was answered with key " + out.KeyId
		if o.Outcome == refused {
			got = "was refused with " + o.Code
		}
		l.fail(fmt.Sprintf("after %s was acknowledged, Encrypt with %s at %s %s (from %v to %v)", e.after, e.use, n.id, got, time.Duration(o.Start), time.Duration(o.End)))
	}
	return o
}

// contend creates, moves and deletes aliases that others want at the same time.
// Names change with time, so that the history of each stays short enough for a
// linearizability checker.
func (l *load) contend(ctx context.Context, c *caller) {
	const era = 500 * time.Millisecond
	key, ok := l.createKey(ctx, c, "")
	if !ok {
		return
	}
	for ctx.Err() == nil {
		name := "alias/contended-" + strconv.FormatInt(l.history.now()/int64(era), 10)
		params := map[string]string{"AliasName": name, "KeyId": key}
		action := "CreateAlias"
		if c.rand.IntN(3) == 0 {
			action = "DeleteAlias"
			delete(params, "KeyId")
		}
		c.try(context.WithoutCancel(ctx), c.any(), op{Action: action, Object: name}, params, nil)
		c.pause(ctx, 8*time.Millisecond)
	}
}
