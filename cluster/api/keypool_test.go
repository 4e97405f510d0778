package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"meridian/crypto"
)

// slowKeys makes pairs that take a second each by a clock of the test's own.
func slowKeys(err error) keyMaker {
	return func(context.Context, crypto.Algorithm) (*crypto.PrivateKey, error) {
		time.Sleep(time.Second)
		if err != nil {
			return nil, err
		}
		return crypto.GenerateKey(crypto.AlgorithmECP256) // as good as any
	}
}

// The pool rests at first, then fills up; what is in stock is had at once, and each pair by one only.
func TestKeyPoolKeepsStock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newKeyPool(keyPoolRest, slowKeys(nil))
		defer p.close()
		synctest.Wait()
		if a, missing := p.missing(); missing {
			t.Errorf("it makes %v before anybody asks", a)
		}
		time.Sleep(keyPoolRest + time.Minute)
		synctest.Wait()
		began, seen := time.Now(), map[*crypto.PrivateKey]bool{}
		for range 4 {
			pair, err := p.take(t.Context(), crypto.AlgorithmRSA2048)
			if err != nil || seen[pair] || time.Since(began) != 0 {
				t.Fatalf("%v after %v", err, time.Since(began))
			}
			seen[pair] = true
		}
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA2048); err != nil || time.Since(began) == 0 {
			t.Errorf("a fifth at once: %v", err)
		}
	})
}

// Whoever asks first is served first, before the rest is over; one too many is sent away, and so is whoever gives up or
// whose turn does not come in time.
func TestKeyPoolServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const each = 1100 * time.Millisecond // so that no turn comes at the very end of the wait
		p := newKeyPool(time.Hour, func(context.Context, crypto.Algorithm) (*crypto.PrivateKey, error) {
			time.Sleep(each)
			return new(crypto.PrivateKey), nil
		})
		defer p.close()
		var wg sync.WaitGroup
		gone, giveUp := context.WithCancel(t.Context())
		for i := range maxKeyWaiters {
			wg.Go(func() {
				ctx := t.Context()
				if i == 1 {
					ctx = gone
				}
				began := time.Now()
				_, err := p.take(ctx, crypto.AlgorithmRSA3072)
				turn := time.Duration(i) * each // when a pair is made for it: the second one gave up
				switch waited := time.Since(began); {
				case i == 1:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("who gave up: %v", err)
					}
				case turn < queueWait && err != nil:
					t.Errorf("waiter %d: %v", i, err)
				case turn > queueWait && (!errors.Is(err, &Error{Code: CodeRejectedThrottling}) || waited != queueWait):
					t.Errorf("waiter %d: %v after %v", i, err, waited)
				}
				if i == 0 && time.Since(began) != each {
					t.Errorf("the first waited %v", time.Since(began))
				}
			})
			synctest.Wait()
		}
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA2048); !errors.Is(err, &Error{Code: CodeRejectedThrottling}) {
			t.Errorf("one waiter too many: %v", err)
		}
		giveUp()
		wg.Wait()
	})
}

// A failure is told to whoever waits and is no loop.
func TestKeyPoolFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no randomness")
		p := newKeyPool(time.Second, slowKeys(broken))
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA2048); !errors.Is(err, broken) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, missing := p.missing(); missing {
			t.Error("it tries on and on")
		}
		p.close()
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA2048); !errors.Is(err, &Error{Code: CodeServiceUnavailableTemporary}) {
			t.Errorf("after its end: %v", err)
		}
	})
}

// At the end nobody waits any longer; what is there is still had.
func TestKeyPoolDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newKeyPool(time.Second, slowKeys(nil))
		defer p.close()
		time.Sleep(time.Minute)
		const stock, waiters = 2, 3
		var began time.Time
		var wg sync.WaitGroup
		for range stock - 1 {
			if _, err := p.take(t.Context(), crypto.AlgorithmRSA3072); err != nil {
				t.Fatal(err)
			}
		}
		for range waiters + stock + 1 { // the first of them have what is or comes in stock
			wg.Go(func() {
				_, err := p.take(t.Context(), crypto.AlgorithmRSA3072)
				if err != nil && (!errors.Is(err, &Error{Code: CodeServiceUnavailableTemporary}) || time.Since(began) != 0) {
					t.Errorf("%v, %v after the end", err, time.Since(began))
				}
			})
		}
		time.Sleep(1500 * time.Millisecond)
		began = time.Now()
		p.drain()
		wg.Wait()
		if len(p.waiters) != 0 {
			t.Errorf("%d wait on", len(p.waiters))
		}
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA2048); err != nil { // of which there were some
			t.Errorf("from stock: %v", err)
		}
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA3072); !errors.Is(err, &Error{Code: CodeServiceUnavailableTemporary}) {
			t.Errorf("later: %v", err)
		}
	})
}

// Keys are made in the slots of asymmetric work: while these are taken none is.
func TestKeysAreMadeInSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := newAsymmetricSlots()
		var releases []func()
		for range slots.slots {
			release, err := slots.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, release)
		}
		p := newKeyPool(0, slowKeys(nil).in(slots))
		defer p.close()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(p.stock) != 0 {
			t.Errorf("%d kinds in stock", len(p.stock))
		}
		for _, release := range releases {
			release()
		}
		if _, err := p.take(t.Context(), crypto.AlgorithmRSA2048); err != nil {
			t.Error(err)
		}
	})
}

// RSA keys are rationed for each caller, and come again with time.
func TestKeyPairLimits(t *testing.T) {
	l, err := newKeyPairLimits()
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	now := time.Now()
	for i := range keyPairBurst {
		if err := l.allow("a", now); err != nil {
			t.Fatalf("pair %d: %v", i+1, err)
		}
	}
	if err := l.allow("a", now); !errors.Is(err, &Error{Code: CodeRejectedThrottling}) {
		t.Errorf("one too many: %v", err)
	}
	if err := l.allow("b", now); err != nil {
		t.Errorf("another caller: %v", err)
	}
	if err := l.allow("a", now.Add(keyPairInterval)); err != nil {
		t.Errorf("later: %v", err)
	}
}
