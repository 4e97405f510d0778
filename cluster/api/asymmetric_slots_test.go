package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Asymmetric work waits for its slots, which are bounded as well.
func TestAsymmetricSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newAsymmetricSlots()
		var releases []func()
		slots := s.free
		for range slots {
			release, err := s.take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			releases = append(releases, release)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, maxAsymmetricWaiting)
		for range maxAsymmetricWaiting {
			go func() {
				release, err := s.take(ctx)
				if err == nil {
					release()
				}
				ended <- err
			}()
		}
		synctest.Wait()
		if _, err := s.take(t.Context()); !errors.Is(err, &Error{Code: CodeRejectedThrottling}) {
			t.Errorf("one waiter too many: %v", err)
		}
		began := time.Now()
		if _, err := s.waitAWhile(t.Context()); !errors.Is(err, &Error{Code: CodeRejectedThrottling}) || time.Since(began) != queueWait {
			t.Errorf("no slot in time: %v after %v", err, time.Since(began))
		}
		for range maxAsymmetricWaiting {
			if err := <-ended; !errors.Is(err, &Error{Code: CodeRejectedThrottling}) {
				t.Errorf("a waiter without a slot: %v", err)
			}
			go func() {
				release, err := s.take(ctx)
				if err == nil {
					release()
				}
				ended <- err
			}()
		}
		synctest.Wait()
		for _, release := range releases {
			release()
		}
		for range maxAsymmetricWaiting {
			if err := <-ended; err != nil {
				t.Errorf("a waiter: %v", err)
			}
		}
		release, err := s.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		for range slots - 1 {
			if _, err := s.take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.take(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who gives up: %v", err)
		}
		release()
	})
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
	return &groups{&asymmetricSlots{free: 1, group: 3}, time.Now(), make(chan moment, 100)}
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
				for _, name := range []string{"a", "b", "c", "d", "e"} {
					g.ask(ctx, name, time.Millisecond)
				}
			},
			"1ms: did a; 2ms: did b; 3ms: answered a, answered b, answered c, did c; 4ms: did d; 5ms: answered d, answered e, did e",
		},
		"none begun too late": {
			func(ctx context.Context, g *groups) {
				for _, name := range []string{"a", "b", "c"} {
					g.ask(ctx, name, slotGroupTime/2)
				}
			},
			"5ms: did a; 10ms: answered a, answered b, did b; 15ms: answered c, did c",
		},
		"not past one that wants the slot": {
			func(ctx context.Context, g *groups) {
				g.ask(ctx, "a", time.Millisecond)
				g.hold(ctx, "b", time.Second)
				g.ask(ctx, "c", time.Millisecond)
				g.ask(ctx, "d", time.Millisecond)
			},
			"1ms: answered a, did a; 1.001s: held b; 1.002s: did c; 1.003s: answered c, answered d, did d",
		},
		"not for those that left": {
			func(ctx context.Context, g *groups) {
				short, cancel := context.WithCancel(ctx)
				g.ask(ctx, "a", time.Millisecond)
				g.ask(short, "b", time.Millisecond)
				g.hold(short, "c", time.Millisecond)
				g.ask(ctx, "d", time.Millisecond)
				cancel()
			},
			"0s: refused b, refused c; 1ms: did a; 2ms: answered a, answered d, did d",
		},
		"for one that leaves too late": {
			func(ctx context.Context, g *groups) {
				short, cancel := context.WithTimeout(ctx, 3*time.Millisecond/2)
				defer cancel()
				g.ask(ctx, "a", time.Millisecond)
				g.ask(short, "b", time.Millisecond)
				time.Sleep(3 * time.Millisecond)
			},
			"1ms: did a; 2ms: answered a, answered b, did b",
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
		go func() {
			defer func() { thrown <- recover() }()
			_ = g.do(t.Context(), panicOfTheTest)
		}()
		synctest.Wait()
		g.ask(t.Context(), "c", time.Millisecond)
		p, ok := (<-thrown).(*slotPanic)
		if !ok || p.value != "of the test" || !strings.Contains(p.at, "panicOfTheTest") {
			t.Errorf("panic %+v", p)
		}
		go func() {
			defer func() { thrown <- recover() }()
			_ = g.do(t.Context(), panicOfTheTest)
		}()
		if p := <-thrown; p != "of the test" {
			t.Errorf("panic in a slot of its own %v", p)
		}
		g.happened(t, "1ms: did a; 2ms: answered a, answered c, did c")
	})
}

func panicOfTheTest() { panic("of the test") }
