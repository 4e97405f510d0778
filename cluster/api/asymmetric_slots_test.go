package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// One processor is left to everything else, and takes up what groups have done.
func TestSlotsOfProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for processors, want := range map[int]struct{ slots, group int }{1: {1, 1}, 2: {1, maxSlotGroup}, 16: {15, maxSlotGroup}} {
		runtime.GOMAXPROCS(processors)
		if s := newAsymmetricSlots(); s.slots != want.slots || s.free != want.slots || s.group != want.group {
			t.Errorf("%d processors: %d slots, %d free, groups of %d", processors, s.slots, s.free, s.group)
		}
	}
}

// Asymmetric work waits for its slots, so long and so many at once.
func TestAsymmetricSlots(t *testing.T) {
	for name, ask := range map[string]func(*asymmetricSlots, context.Context) error{
		"do": func(s *asymmetricSlots, ctx context.Context) error { return s.do(ctx, func() {}) },
		"take": func(s *asymmetricSlots, ctx context.Context) error {
			release, err := s.take(ctx)
			if err == nil {
				release()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { limitsOfWaiting(t, ask) })
		})
	}
}

// limitsOfWaiting checks who may wait for a slot, and how long.
func limitsOfWaiting(t *testing.T, ask func(*asymmetricSlots, context.Context) error) {
	s := newAsymmetricSlots()
	for range s.slots {
		if _, err := s.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, maxAsymmetricWaiting)
	began := time.Now()
	askAll := func() {
		for range maxAsymmetricWaiting {
			go func() { ended <- ask(s, t.Context()) }()
		}
		synctest.Wait()
	}
	askAll()
	if err := ask(s, t.Context()); !errors.Is(err, &Error{Code: CodeRejectedThrottling}) || time.Since(began) != 0 {
		t.Errorf("one waiter too many: %v after %v", err, time.Since(began))
	}
	// Others wait as well, however many do.
	gone, leave := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() {
		release, err := s.wait(gone)
		if err == nil {
			release()
		}
		waited <- err
	}()
	if _, err := s.waitAWhile(t.Context()); !errors.Is(err, &Error{Code: CodeRejectedThrottling}) || time.Since(began) != queueWait {
		t.Errorf("no slot in time: %v after %v", err, time.Since(began))
	}
	for range maxAsymmetricWaiting {
		if err := <-ended; !errors.Is(err, &Error{Code: CodeRejectedThrottling}) || time.Since(began) != queueWait {
			t.Errorf("a waiter without a slot: %v after %v", err, time.Since(began))
		}
	}
	askAll()
	for range s.slots {
		s.release()
	}
	for range maxAsymmetricWaiting {
		if err := <-ended; err != nil {
			t.Errorf("a waiter: %v", err)
		}
	}
	if err := <-waited; err != nil {
		t.Errorf("who waits whatever others do: %v", err)
	}
	for range s.slots {
		if _, err := s.take(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	leave()
	if err := ask(s, gone); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up: %v", err)
	}
}

// groups is a single slot with groups of three pieces of work, and what happened in it.
type groups struct {
	*asymmetricSlots
	began time.Time
	log   chan moment
}

type moment struct {
	at   time.Duration
	what string
}

func newGroups() *groups {
	return &groups{&asymmetricSlots{slots: 1, free: 1, group: 3}, time.Now(), make(chan moment, 100)}
}

func (g *groups) note(what string) { g.log <- moment{time.Since(g.began), what} }

// ask asks for work that takes a time.
func (g *groups) ask(ctx context.Context, name string, takes time.Duration) {
	go func() {
		err := g.do(ctx, func() {
			time.Sleep(takes)
			g.note("did " + name)
		})
		if err != nil {
			g.note("refused " + name)
			return
		}
		g.note("answered " + name)
	}()
	synctest.Wait()
}

// hold waits for the slot itself, and keeps it for a time.
func (g *groups) hold(ctx context.Context, name string, keeps time.Duration) {
	go func() {
		release, err := g.take(ctx)
		if err != nil {
			g.note("refused " + name)
			return
		}
		time.Sleep(keeps)
		g.note("held " + name)
		release()
	}()
	synctest.Wait()
}

// happened waits until all is quiet and compares what happened when, by the clock of the test. What happened at one moment
// is in the order of the alphabet.
func (g *groups) happened(t *testing.T, want string) {
	t.Helper()
	time.Sleep(time.Minute)
	synctest.Wait()
	var all []moment
	for len(g.log) > 0 {
		all = append(all, <-g.log)
	}
	slices.SortFunc(all, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what)) })
	var text strings.Builder
	for i, m := range all {
		switch {
		case i == 0:
			fmt.Fprintf(&text, "%v: ", m.at)
		case m.at == all[i-1].at:
			text.WriteString(", ")
		default:
			fmt.Fprintf(&text, "; %v: ", m.at)
		}
		text.WriteString(m.what)
	}
	if text.String() != want {
		t.Errorf("%s\nnot %s", text.String(), want)
	}
	if g.free != 1 || len(g.queue) != 0 || g.waiting != 0 {
		t.Errorf("afterwards %d slots are free, %d wait, %d of them counted", g.free, len(g.queue), g.waiting)
	}
}

// Work that waits is done together, in the order of coming, by whoever has the slot, but only so much at once.
func TestWorkInGroups(t *testing.T) {
	for name, test := range map[string]struct {
		ask  func(context.Context, *groups)
		want string
	}{
		"alone": {
			func(ctx context.Context, g *groups) { g.ask(ctx, "a", time.Millisecond) },
			"1ms: answered a, did a",
		},
		"no more than a group": {
			func(ctx context.Context, g *groups) {
				for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
					g.ask(ctx, name, time.Millisecond)
				}
			},
			"1ms: did a; 2ms: did b; 3ms: answered a, answered b, answered c, did c; 4ms: did d; 5ms: answered d, answered e, did e; " +
				"6ms: answered f, did f; 7ms: answered g, did g",
		},
		"no more than wait behind it": {
			func(ctx context.Context, g *groups) {
				for _, name := range []string{"a", "b", "c", "d"} {
					g.ask(ctx, name, time.Millisecond)
				}
			},
			"1ms: did a; 2ms: answered a, answered b, did b; 3ms: answered c, did c; 4ms: answered d, did d",
		},
		"none begun too late": {
			func(ctx context.Context, g *groups) {
				for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
					g.ask(ctx, name, slotGroupTime/2)
				}
			},
			"5ms: did a; 10ms: answered a, answered b, did b; 15ms: did c; 20ms: answered c, answered d, did d; 25ms: answered e, did e; 30ms: answered f, did f",
		},
		"not past one that wants the slot": {
			func(ctx context.Context, g *groups) {
				g.ask(ctx, "a", time.Millisecond)
				g.hold(ctx, "b", time.Second)
				for _, name := range []string{"c", "d", "e"} {
					g.ask(ctx, name, time.Millisecond)
				}
			},
			"1ms: answered a, did a; 1.001s: held b; 1.002s: did c; 1.003s: answered c, answered d, did d; 1.004s: answered e, did e",
		},
		"not for those that left": {
			func(ctx context.Context, g *groups) {
				short, cancel := context.WithCancel(ctx)
				g.ask(ctx, "a", time.Millisecond)
				g.ask(short, "b", time.Millisecond)
				g.hold(short, "c", time.Millisecond)
				g.ask(ctx, "d", time.Millisecond)
				g.ask(ctx, "e", time.Millisecond)
				cancel()
			},
			"0s: refused b, refused c; 1ms: did a; 2ms: answered a, answered d, did d; 3ms: answered e, did e",
		},
		"for one that leaves too late": {
			func(ctx context.Context, g *groups) {
				short, cancel := context.WithTimeout(ctx, 3*time.Millisecond/2)
				defer cancel()
				g.ask(ctx, "a", time.Millisecond)
				g.ask(short, "b", time.Millisecond)
				g.ask(ctx, "c", time.Millisecond)
				time.Sleep(3 * time.Millisecond)
			},
			"1ms: did a; 2ms: answered a, answered b, did b; 3ms: answered c, did c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroups()
				test.ask(t.Context(), g)
				g.happened(t, test.want)
			})
		})
	}
}

// What the work of a request panics with is told to that request, with where it did, whoever did the work.
func TestPanicInAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroups()
		g.ask(t.Context(), "a", time.Millisecond)
		thrown := make(chan any)
		throw := func() {
			defer func() { thrown <- recover() }()
			_ = g.do(t.Context(), panicOfTheTest)
		}
		go throw()
		synctest.Wait()
		g.ask(t.Context(), "c", time.Millisecond)
		p, ok := (<-thrown).(*slotPanic)
		if !ok || !strings.Contains(p.at, "panicOfTheTest") || strings.Contains(p.at, "slotWaiter") || strings.Contains(p.at, "doGroup") {
			t.Errorf("panic %+v", p)
		}
		var log strings.Builder
		s := &Server{cfg: Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, metrics: &metrics{panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "panics"})}}
		s.logPanic(&exchange{}, p)
		if !strings.Contains(log.String(), "panic=\"interface conversion: interface {} is nil, not string\"") || !strings.Contains(log.String(), "panicOfTheTest") {
			t.Error(log.String())
		}
		go throw()
		if p, ok := (<-thrown).(error); !ok || !strings.Contains(p.Error(), "is nil, not string") {
			t.Errorf("panic in a slot of its own %v", p)
		}
		g.happened(t, "1ms: answered a, did a; 2ms: answered c, did c")
	})
}

func panicOfTheTest() {
	var none any
	_ = none.(string)
}

// What is not done is never taken for done.
func TestWorkThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroups()
		p := &pairCall{Call: &Call{server: &Server{asymmetric: g.asymmetricSlots}}}
		g.ask(t.Context(), "a", time.Millisecond)
		ended := make(chan error)
		go func() {
			ended <- p.inSlot(t.Context(), func(*pairCall) error {
				runtime.Goexit()
				return nil
			})
		}()
		synctest.Wait()
		g.ask(t.Context(), "b", time.Millisecond)
		if err := <-ended; err != errNotDone {
			t.Errorf("%v", err)
		}
		g.happened(t, "1ms: did a; 2ms: answered b, did b") // a's goroutine is gone
	})
}

// However many come, leave and panic, work runs once or is refused, no more at once than there are slots, none after its
// request is over, and no slot is lost.
func TestSlotsUnderLoad(t *testing.T) {
	s := &asymmetricSlots{slots: 2, free: 2, group: maxSlotGroup}
	var busy, most atomic.Int64
	work := func(ran *int) func() {
		return func() {
			if now := busy.Add(1); now > int64(s.slots) {
				most.Store(now)
			}
			defer busy.Add(-1)
			*ran++ // without a lock: the race detector sees work that outlives its request
			if rand.IntN(10) == 0 {
				panicOfTheTest()
			}
		}
	}
	ask := func(ctx context.Context) {
		ran, want := 0, 1
		defer func() {
			if recover(); ran != want {
				t.Errorf("work ran %d times, not %d", ran, want)
			}
		}()
		if s.do(ctx, work(&ran)) != nil {
			want = 0
		}
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1000))*time.Microsecond)
				if rand.IntN(10) > 0 {
					ask(ctx)
				} else if release, err := s.take(ctx); err == nil {
					release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if n := most.Load(); n != 0 {
		t.Errorf("%d at once", n)
	}
	if s.free != s.slots || len(s.queue) != 0 || s.waiting != 0 {
		t.Errorf("afterwards %d slots are free, %d wait, %d of them counted", s.free, len(s.queue), s.waiting)
	}
}
