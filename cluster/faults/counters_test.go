//go:build faults

package faults

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// counter is an object that one writer counts up: the description of a key.
type counter struct{ key string }

// counters are those that are being written.
type counters struct {
	mu  sync.Mutex
	now []*counter
}

func (c *counters) add(one *counter) {
	c.mu.Lock()
	c.now = append(c.now, one)
	c.mu.Unlock()
}

func (c *counters) drop(one *counter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.now {
		if c.now[i] == one {
			c.now = append(c.now[:i:i], c.now[i+1:]...)
			return
		}
	}
}

func (c *counters) any(source *rand.Rand) *counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.now) == 0 {
		return nil
	}
	return c.now[source.IntN(len(c.now))]
}

// writeCounters counts one object up until a write has an unknown outcome: it
// may still take effect, so that the next would not be the only one under way.
// Then it takes another object.
func (l *load) writeCounters(ctx context.Context, c *caller) {
	for ctx.Err() == nil {
		id, ok := l.createKey(ctx, c, "0")
		if !ok {
			return
		}
		l.count(ctx, c, &counter{key: id})
	}
}

func (l *load) count(ctx context.Context, c *caller, one *counter) {
	l.counters.add(one)
	defer l.counters.drop(one)
	for n := int64(1); ctx.Err() == nil; n++ {
		o := op{Action: "UpdateKeyDescription", Object: one.key, Value: n}
		for {
			o = c.try(context.WithoutCancel(ctx), c.any(), o, map[string]string{"KeyId": one.key, "Description": strconv.FormatInt(n, 10)}, nil)
			if o.Outcome != unavailable && o.Outcome != unreachable || ctx.Err() != nil {
				break
			}
			c.pause(ctx, 10*time.Millisecond)
		}
		if o.Outcome != done {
			return
		}
		c.pause(ctx, 4*time.Millisecond)
	}
}

// readCounters reads objects that are being written, at any node.
func (l *load) readCounters(ctx context.Context, c *caller) {
	for ctx.Err() == nil {
		if one := l.counters.any(c.rand); one != nil {
			l.readCounter(ctx, c, c.any(), one.key)
		}
		c.pause(ctx, 3*time.Millisecond)
	}
}

func (l *load) readCounter(ctx context.Context, c *caller, n *node, key string) op {
	out := answer{}
	o := c.call(ctx, n, op{Action: "DescribeKey", Object: key}, map[string]string{"KeyId": key}, &out)
	if o.Outcome == done {
		o.Value, _ = strconv.ParseInt(out.KeyMetadata.Description, 10, 64)
	}
	c.record(ctx, o)
	return o
}
