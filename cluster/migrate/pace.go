package migrate

import (
	"context"
	"sync"
	"time"
)

// pace says how many batches may be moved at once. Each time that a region says to come later it is halved, once a second
// at the most, so that what was under way before does not count against it again; while none does it grows, by a
// sixteenth of the most each second, up to the most.
type pace struct {
	most    int
	regions []*Region
	freed   chan struct{} // holds one token where a slot may have become free

	mu      sync.Mutex
	limit   int
	running int
	told    int64     // times that the regions have said to come later
	changed time.Time // the limit
}

// paceTime is how long a change of the pace is left to show what it does.
const paceTime = time.Second

func newPace(most int, regions []*Region) *pace {
	p := &pace{most: most, regions: regions, freed: make(chan struct{}, 1), limit: most}
	p.told = p.throttled()
	return p
}

// throttled is how often the regions have said to come later.
func (p *pace) throttled() (times int64) {
	for _, r := range p.regions {
		times += r.Traffic().Throttled
	}
	return times
}

// take waits for a slot until ctx ends.
func (p *pace) take(ctx context.Context) error {
	again := time.NewTicker(paceTime)
	defer again.Stop()
	for {
		if p.tryTake() {
			return nil
		}
		select {
		case <-p.freed:
		case <-again.C: // the limit may have grown meanwhile
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *pace) tryTake() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adapt(time.Now())
	if p.running >= p.limit {
		return false
	}
	p.running++
	return true
}

// give gives a slot back.
func (p *pace) give() {
	p.mu.Lock()
	p.running--
	p.mu.Unlock()
	select {
	case p.freed <- struct{}{}:
	default:
	}
}

// adapt changes the limit if that is due.
func (p *pace) adapt(now time.Time) {
	if now.Sub(p.changed) < paceTime {
		return
	}
	told := p.throttled()
	switch {
	case told > p.told:
		p.limit = max(p.limit/2, 1)
	case p.limit < p.most:
		p.limit = min(p.limit+max(p.most/16, 1), p.most)
	default:
		return // nothing to wait for: the first word of a region counts at once
	}
	p.told, p.changed = told, now
}
