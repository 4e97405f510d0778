package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// reign is the time during which one node is known here as the leader. Its
// context ends when another leader, or none, is known: calls that wait for a
// leader which is gone end with it.
type reign struct {
	id, address string // empty: no leader is known
	ctx         context.Context
	end         context.CancelFunc
	forwards    forwards // of writes to this leader
}

// reigns follows who leads.
type reigns struct {
	base context.Context
	ask  func() (raft.ServerAddress, raft.ServerID)
	told func() // called after a change

	mu  sync.Mutex
	now *reign
}

func newReigns(base context.Context, ask func() (raft.ServerAddress, raft.ServerID), told func()) *reigns {
	r := &reigns{base: base, ask: ask, told: told}
	r.now = r.begin("", "")
	return r
}

func (r *reigns) begin(id, address string) *reign {
	ctx, end := context.WithCancel(r.base)
	return &reign{id: id, address: address, ctx: ctx, end: end}
}

// current asks Raft who leads and starts a new reign if that has changed.
func (r *reigns) current() *reign {
	address, id := r.ask()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.id != string(id) || r.now.address != string(address) {
		r.now.end()
		r.now = r.begin(string(id), string(address))
		r.told()
	}
	return r.now
}

// run keeps the reign current while nobody asks, until ctx ends.
func (r *reigns) run(ctx context.Context, observed <-chan raft.Observation) {
	for {
		select {
		case <-observed:
			r.current()
		case <-ctx.Done():
			r.mu.Lock()
			r.now.end()
			r.mu.Unlock()
			return
		}
	}
}

// during returns ctx bound to the reign as well.
func (r *reign) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// pause waits a moment before the next attempt: until the reign ends, at most
// for d. It returns the error of ctx.
func (r *reign) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.ctx.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// Pauses between attempts of a held call.
const (
	firstPause = 2 * time.Millisecond
	longPause  = 50 * time.Millisecond
)

// nextPause doubles up to longPause.
func nextPause(d time.Duration) time.Duration { return min(max(2*d, firstPause), longPause) }
