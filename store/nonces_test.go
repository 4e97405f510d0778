package store

import (
	"fmt"
	"testing"

	"meridian/store/storepb"
)

const minuteMs = 60 * 1000

// withNonce gives a command a nonce that lives for some minutes.
func (r *region) withNonce(body any, nonce string, minutes int64) *storepb.Command {
	c := r.command(body)
	c.Nonce = &storepb.Nonce{AccessKeyId: "AK1", Nonce: nonce, ExpiresUnixMs: r.stamp + minutes*minuteMs}
	return c
}

func (r *region) code(want storepb.Code, c *storepb.Command) *storepb.Result {
	r.t.Helper()
	result := r.apply(c)
	if result.Code != want {
		r.t.Fatalf("%s %s; want %s", result.Code, result.What, want)
	}
	return result
}

func TestNonceIsUsedOnce(t *testing.T) {
	r := newRegion(t)
	r.code(storepb.Code_OK, r.withNonce(createKey(1), "x", 15))
	r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(2), "x", 15))
	other := r.withNonce(createKey(2), "x", 15)
	other.Nonce.AccessKeyId = "AK2"
	r.code(storepb.Code_OK, other) // another access key's nonce

	r.stamp += minNonceMs - 1
	r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(3), "x", 15))
	r.stamp++
	r.code(storepb.Code_OK, r.withNonce(createKey(3), "x", 15))
	r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(4), "x", 15))
	r.check()
}

// A nonce of a longer life than the least is kept for all of it.
func TestNonceIsKeptUntilItExpires(t *testing.T) {
	r := newRegion(t)
	r.code(storepb.Code_OK, r.withNonce(createKey(1), "x", 60))
	r.stamp += 60*minuteMs - 1
	r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(2), "x", 15))
	r.stamp++
	r.code(storepb.Code_OK, r.withNonce(createKey(2), "x", 15))
	r.check()
}

// The leader's clock is, or once was, ahead of the nodes that take requests: a
// nonce whose expiry is in the past by its stamps is as good as any, once.
func TestNonceIsUsedOnceWhenStampsAreAhead(t *testing.T) {
	for _, tt := range []struct {
		name    string
		expires int64 // minutes after the stamp
	}{
		{"at the stamp", 0},
		{"an hour ago", -60},
		{"a year ago", -365 * 24 * 60},
		{"never set", -baseStamp / minuteMs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegion(t)
			r.code(storepb.Code_OK, r.withNonce(createKey(1), "x", tt.expires))
			r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(2), "x", tt.expires))
			r.stamp -= 60 * minuteMs // the next leader's clock is right: time stands still in the state
			r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(2), "x", tt.expires+60))
			r.stamp += 60*minuteMs + minNonceMs - 1
			r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(2), "x", tt.expires))
			r.stamp++
			r.code(storepb.Code_OK, r.withNonce(createKey(2), "x", tt.expires))
			r.check()
		})
	}
}

// A nonce that a refused command brought is used as well: it was answered.
func TestNonceOfARefusedCommand(t *testing.T) {
	r := newRegion(t)
	r.code(storepb.Code_KEY_NOT_FOUND, r.withNonce(&storepb.EnableKey{KeyId: idOf(1)}, "x", 15))
	r.code(storepb.Code_NONCE_USED, r.withNonce(createKey(1), "x", 15))
}

func TestCommandIsAppliedOnce(t *testing.T) {
	r := newRegion(t)
	first := r.withNonce(createKey(1), "x", 15)
	want := r.code(storepb.Code_OK, first)
	r.ok(&storepb.DisableKey{KeyId: idOf(1)})
	r.stamp += 20 * minuteMs
	again := r.apply(first)
	if again.Code != storepb.Code_OK || again.CommandIndex != want.CommandIndex {
		t.Fatalf("again: %s at %d; want OK at %d", again.Code, again.CommandIndex, want.CommandIndex)
	}
	if k, _ := KeyOf(again); k.State != Enabled {
		t.Errorf("the first result said Enabled, the repeated one %s", k.State)
	}
	if k := r.key(id(1)); k.State != Disabled {
		t.Errorf("the repeated command made the key %s", k.State)
	}
	r.read(func(v *View) {
		if got, err := v.Result(first.Id); err != nil || got.GetCommandIndex() != want.CommandIndex {
			t.Errorf("remembered: %v, %v", got, err)
		}
		if got, err := v.Result([]byte("command id 99999")); err != nil || got != nil {
			t.Errorf("of a command that never was: %v, %v", got, err)
		}
	})

	r.stamp = baseStamp + resultMs
	first.StampUnixMs = r.stamp
	if again := r.apply(first); again.CommandIndex != want.CommandIndex { // it is past its time, but still here
		t.Fatalf("after its time: %s at %d; want OK at %d", again.Code, again.CommandIndex, want.CommandIndex)
	}
	r.index = want.CommandIndex + resultEntries
	r.ok(createKey(2))
	r.code(storepb.Code_KEY_EXISTS, first) // forgotten: applied anew
	r.check()
}

// The leader that applied a command is gone, and the clock of the next one is
// far ahead: what is sent again is not carried out again.
func TestCommandIsAppliedOnceWhenStampsAreAhead(t *testing.T) {
	for _, minutes := range []int64{31, 32, 365 * 24 * 60} {
		for _, between := range []uint64{0, 1, resultEntries - 2} {
			r := newRegion(t)
			first := r.withNonce(createKey(1), "x", 15)
			want := r.code(storepb.Code_OK, first)
			r.stamp += minutes * minuteMs
			if between > 0 { // others' commands under the next leader's stamps
				r.ok(createKey(2))
				r.index += between - 1
			}
			first.StampUnixMs = r.stamp
			for range 2 {
				if again := r.apply(first); again.Code != storepb.Code_OK || again.CommandIndex != want.CommandIndex {
					t.Fatalf("%d minutes ahead, %d entries later: %s at %d; want OK at %d",
						minutes, between, again.Code, again.CommandIndex, want.CommandIndex)
				}
			}
			r.check()
		}
	}
}

// A result goes when both its time and its entries are over.
func TestResultIsKeptForTimeAndEntries(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ms      int64
		entries uint64
		kept    bool
	}{
		{"time is left", resultMs - 1, 2 * resultEntries, true},
		{"entries are left", 2 * resultMs, resultEntries - 1, true},
		{"neither is left", resultMs, resultEntries, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRegion(t)
			c := r.command(createKey(1))
			index := r.code(storepb.Code_OK, c).CommandIndex
			r.stamp += tt.ms
			r.index = index + tt.entries - 1
			r.ok(createKey(2))
			r.read(func(v *View) {
				got, err := v.Result(c.Id)
				if err != nil || (got != nil) != tt.kept {
					t.Errorf("%v, %v; want it kept: %v", got, err, tt.kept)
				}
			})
			r.check()
		})
	}
}

// The id of a command stands for its content: other content under the same id
// is neither applied nor answered with the first one's result.
func TestCommandIDBelongsToItsBody(t *testing.T) {
	r := newRegion(t)
	first := r.command(createKey(1))
	want := r.code(storepb.Code_OK, first)
	other := r.command(&storepb.DisableKey{KeyId: idOf(1)})
	other.Id = first.Id
	r.code(storepb.Code_INVALID, other)
	if k := r.key(id(1)); k.State != Enabled {
		t.Errorf("the key is %s", k.State)
	}
	first.StampUnixMs += minuteMs
	first.Origin.Node = "n2"
	if again := r.code(storepb.Code_OK, first); again.CommandIndex != want.CommandIndex {
		t.Errorf("sent again: applied at %d; want %d", again.CommandIndex, want.CommandIndex)
	}
	r.check()
}

// What has expired goes, a bounded number with each command, and the counters
// follow.
func TestExpiredIsPruned(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	const n = 50
	for i := range n {
		r.code(storepb.Code_OK, r.withNonce(&storepb.EnableKey{KeyId: idOf(1)}, fmt.Sprint(i), 15))
	}
	counts := func() (nonces, results uint64) {
		r.read(func(v *View) { nonces, results = v.state.Nonces, v.state.Results })
		return nonces, results
	}
	if nonces, results := counts(); nonces != n || results != n+2 {
		t.Fatalf("%d nonces, %d results", nonces, results)
	}
	r.stamp += resultMs
	r.index += resultEntries
	for step := 1; ; step++ {
		r.ok(&storepb.EnableKey{KeyId: idOf(1)})
		nonces, results := counts()
		if want := uint64(max(0, n-step*pruneEach)); nonces != want {
			t.Fatalf("after %d commands %d nonces; want %d", step, nonces, want)
		}
		if want := uint64(max(0, n+2-step*pruneEach) + step); results != want {
			t.Fatalf("after %d commands %d results; want %d", step, results, want)
		}
		r.check()
		if nonces == 0 && results == uint64(step) {
			return
		}
	}
}

// A nonce cannot stay for ever, whatever its expiry says.
func TestNonceLifeIsBounded(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	r.code(storepb.Code_OK, r.withNonce(&storepb.EnableKey{KeyId: idOf(1)}, "x", 1<<40))
	r.stamp += maxNonceMs
	r.ok(&storepb.EnableKey{KeyId: idOf(1)})
	r.read(func(v *View) {
		if v.state.Nonces != 0 {
			t.Errorf("%d nonces", v.state.Nonces)
		}
	})
}
