package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"meridian/crypto"
)

const (
	// keyPoolRest is how long after its start a pool that nobody asks begins to fill: other work comes first then.
	keyPoolRest = 10 * time.Second
	// maxKeyWaiters bounds the requests that wait for an RSA key pair.
	maxKeyWaiters = 256
)

// keyStock is how many pairs of a kind are kept ready. A pair takes a tenth of a second to make on average, and
// several times that at times.
var keyStock = []struct {
	algorithm crypto.Algorithm
	pairs     int
}{
	{crypto.AlgorithmRSA2048, 4},
	{crypto.AlgorithmRSA3072, 2},
}

// keyPool makes RSA key pairs ahead of need, one after the other, so that neither their making nor its long tail is part
// of a request. Close ends it.
type keyPool struct {
	generate keyMaker
	kick     chan struct{} // there may be something to make
	stop     context.CancelFunc
	stopped  <-chan struct{} // nothing more is made
	done     chan struct{}

	mu      sync.Mutex
	warm    bool // to be kept full from now on
	stock   map[crypto.Algorithm][]*crypto.PrivateKey
	waiters []keyWaiter // first come, first served
}

// keyMaker makes a pair; it ends early only if ctx does.
type keyMaker func(ctx context.Context, a crypto.Algorithm) (*crypto.PrivateKey, error)

// in makes keys in the slots of asymmetric work, of which it is the slowest part.
func (make keyMaker) in(slots *asymmetricSlots) keyMaker {
	return func(ctx context.Context, a crypto.Algorithm) (*crypto.PrivateKey, error) {
		release, err := slots.wait(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		return make(ctx, a)
	}
}

func generateKey(_ context.Context, a crypto.Algorithm) (*crypto.PrivateKey, error) {
	return crypto.GenerateKey(a)
}

type keyWaiter struct {
	algorithm crypto.Algorithm
	pair      chan madeKey
}

type madeKey struct {
	pair *crypto.PrivateKey
	err  error
}

func newKeyPool(rest time.Duration, generate keyMaker) *keyPool {
	ctx, stop := context.WithCancel(context.Background())
	p := &keyPool{
		generate: generate, kick: make(chan struct{}, 1), stop: stop, stopped: ctx.Done(), done: make(chan struct{}),
		stock: make(map[crypto.Algorithm][]*crypto.PrivateKey),
	}
	go p.run(ctx, rest)
	return p
}

// drain ends the making and the waiting. What is in stock is still given away.
func (p *keyPool) drain() { p.stop() }

// close ends the making; a pair under way is finished first.
func (p *keyPool) close() {
	p.stop()
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.stock)
}

// take returns a pair that nobody else gets. Without one in stock it waits for its turn, up to
// queueWait.
func (p *keyPool) take(ctx context.Context, a crypto.Algorithm) (*crypto.PrivateKey, error) {
	p.mu.Lock()
	p.warm = true
	if ready := p.stock[a]; len(ready) > 0 {
		pair := ready[len(ready)-1]
		p.stock[a] = slices.Delete(ready, len(ready)-1, len(ready))
		p.mu.Unlock()
		p.wake()
		return pair, nil
	}
	if len(p.waiters) >= maxKeyWaiters {
		p.mu.Unlock()
		return nil, errThrottled("too many requests wait for RSA keys on this node", time.Second)
	}
	w := keyWaiter{a, make(chan madeKey, 1)}
	p.waiters = append(p.waiters, w)
	p.mu.Unlock()
	p.wake()
	limit := time.NewTimer(queueWait)
	defer limit.Stop()
	select {
	case made := <-w.pair:
		return made.pair, made.err
	case <-limit.C:
		p.leave(w)
		return nil, errThrottled("RSA keys are asked for faster than this node makes them", time.Second)
	case <-ctx.Done():
		p.leave(w)
		return nil, ctx.Err()
	case <-p.stopped:
		p.leave(w)
		return nil, errUnavailable("it is shutting down", time.Second)
	}
}

// leave takes a waiter back; a pair that came meanwhile goes into stock.
func (p *keyPool) leave(w keyWaiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters = slices.DeleteFunc(p.waiters, func(other keyWaiter) bool { return other.pair == w.pair })
	select {
	case made := <-w.pair:
		if made.err == nil {
			p.stock[w.algorithm] = append(p.stock[w.algorithm], made.pair)
		}
	default:
	}
}

func (p *keyPool) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// run makes what is missing until the pool is closed.
func (p *keyPool) run(ctx context.Context, rest time.Duration) {
	defer close(p.done)
	timer := time.NewTimer(rest)
	defer timer.Stop()
	for ctx.Err() == nil {
		if a, missing := p.missing(); missing {
			pair, err := p.generate(ctx, a)
			p.deliver(a, madeKey{pair, err})
			continue
		}
		select {
		case <-p.kick:
		case <-timer.C:
			p.mu.Lock()
			p.warm = true
			p.mu.Unlock()
		case <-ctx.Done():
		}
	}
}

// missing says what to make next: what somebody waits for, then what the stock lacks.
func (p *keyPool) missing() (crypto.Algorithm, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		return p.waiters[0].algorithm, true
	}
	if !p.warm {
		return 0, false
	}
	for _, kind := range keyStock {
		if len(p.stock[kind.algorithm]) < kind.pairs {
			return kind.algorithm, true
		}
	}
	return 0, false
}

// deliver hands a pair to whoever waits longest for its kind, or puts it into stock. A failure is told to the waiter;
// without one it is found out by the next.
func (p *keyPool) deliver(a crypto.Algorithm, made madeKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.waiters, func(w keyWaiter) bool { return w.algorithm == a })
	switch {
	case i >= 0:
		p.waiters[i].pair <- made
		p.waiters = slices.Delete(p.waiters, i, i+1)
	case made.err == nil:
		p.stock[a] = append(p.stock[a], made.pair)
	default:
		p.warm = false // until somebody asks again: it would fail in a loop
	}
}
