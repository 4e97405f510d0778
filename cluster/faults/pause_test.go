//go:build faults

package faults

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// pauseLeader stops the leader's process for half a lease to twenty of them and
// lets it go on. Another leads by then.
func pauseLeader(r *run) {
	longest := 4 * leaseLength
	if !*short {
		longest = 20 * leaseLength
	}
	for range rounds(2, 40) {
		leader := r.region.leader()
		c := r.load.caller("waker")
		r.broken("pause leader", []*node{leader}, func() {
			leader.proc.signal(syscall.SIGSTOP)
			time.Sleep(r.between(leaseLength/2, longest))
			r.wake(c, leader, 8)
			r.region.waitReady(leader)
		})
		c.close()
		r.settle(r.between(200*time.Millisecond, 2*time.Second))
	}
}

// wake lets a stopped process go on, with requests waiting at its sockets and
// more in the first millisecond. The history judges the answers.
func (r *run) wake(c *caller, n *node, requests int) {
	var group sync.WaitGroup
	ask := func() {
		one := r.load.counters.any(c.rand)
		if one == nil {
			return
		}
		group.Go(func() { r.load.readCounter(context.Background(), c, n, one.key) })
	}
	for range requests {
		ask()
	}
	time.Sleep(2 * time.Millisecond) // until they lie in the socket
	n.proc.signal(syscall.SIGCONT)
	for range requests {
		ask()
	}
	group.Wait()
}

// pauseFollower stops a follower while keys are disabled elsewhere, and uses
// those keys there as it goes on: with requests that lay in its socket and with
// requests of the first millisecond.
func pauseFollower(r *run) {
	const keysAtOnce = 24
	c := r.load.caller("pauser")
	defer c.close()
	var keys []string
	for range keysAtOnce {
		keys = append(keys, r.load.mustCreateKey(c))
	}
	var waits []time.Duration
	trials := 0
	for i := range rounds(4, 300) {
		leader := r.region.leader()
		others := r.region.without(leader)
		paused := others[r.rand.IntN(2)]
		running := r.region.without(paused)
		r.broken("pause follower", []*node{paused}, func() {
			paused.proc.signal(syscall.SIGSTOP)
			if i%2 == 0 {
				// Every write is acknowledged while it stands still.
				began := time.Now()
				r.setKeys(c, running, keys, "DisableKey", nil)
				waits = append(waits, time.Since(began))
				trials += r.useAtWake(c, paused, keys)
				return
			}
			// It goes on at any moment, and each key is used there as soon as its
			// write is acknowledged.
			go func(d time.Duration) {
				time.Sleep(d)
				paused.proc.signal(syscall.SIGCONT)
			}(r.between(0, leaseLength+500*time.Millisecond))
			r.setKeys(c, running, keys, "DisableKey", func(key string) {
				r.load.judge(context.Background(), c, paused, expectation{after: "DisableKey", use: key, code: "Rejected.Disabled"})
			})
		})
		r.region.waitReady(paused)
		r.setKeys(c, r.region.nodes, keys, "EnableKey", nil)
		for _, key := range keys {
			r.load.judge(context.Background(), c, paused, expectation{after: "EnableKey", use: key, key: key})
		}
	}
	median, longest := spread(waits)
	r.number("DisableKey beside a stopped node, median", "%v", median)
	r.number("DisableKey beside a stopped node, longest", "%v", longest)
	r.number("uses at SIGCONT", "%d", trials)
	if most := leaseLength + leaseMargin + time.Second; longest > most {
		r.Errorf("DisableKey took %v beside a stopped follower, want %v at most", longest, most)
	}
}

// setKeys changes the state of keys, all at once, and returns when all is
// acknowledged. then is called for each as soon as it is.
func (r *run) setKeys(c *caller, at []*node, keys []string, action string, then func(key string)) {
	var group sync.WaitGroup
	for i, key := range keys {
		group.Go(func() {
			o := op{Action: action, Object: key}
			for {
				o = c.try(context.Background(), at[i%len(at)], o, map[string]string{"KeyId": key}, nil)
				if o.Outcome == done {
					break
				}
				// A key has no other writer here: the same again does no harm.
				if o.Outcome == refused {
					r.load.fail(fmt.Sprintf("%s of %s was refused: %s", action, key, o.Code))
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			if then != nil {
				then(key)
			}
		})
	}
	group.Wait()
}

// useAtWake uses keys that are disabled at a stopped node: half of the requests
// wait in its socket, half come in the first millisecond after it goes on.
func (r *run) useAtWake(c *caller, n *node, keys []string) (trials int) {
	var group sync.WaitGroup
	var mu sync.Mutex
	use := func(key string) {
		group.Go(func() {
			o := r.load.judge(context.Background(), c, n, expectation{after: "DisableKey", use: key, code: "Rejected.Disabled"})
			mu.Lock()
			defer mu.Unlock()
			if o.Outcome == refused || o.Outcome == unavailable {
				trials++
			}
		})
	}
	half := len(keys) / 2
	for _, key := range keys[:half] {
		use(key)
	}
	time.Sleep(2 * time.Millisecond)
	n.proc.signal(syscall.SIGCONT)
	for _, key := range keys[half:] {
		use(key)
	}
	group.Wait()
	return trials
}
