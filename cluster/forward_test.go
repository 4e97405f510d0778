package cluster

import (
	"testing"
	"time"
)

// A call takes what it may carry, in order, and nothing that nobody waits for.
func TestForwardsFillCalls(t *testing.T) {
	var f forwards
	add := func(size int) *proposal {
		p := newProposal(make([]byte, size), time.Time{})
		f.queue = append(f.queue, p)
		return p
	}
	for range maxForwarded + 1 {
		add(1)
	}
	if n := len(f.take()); n != maxForwarded {
		t.Errorf("%d commands in a call, want %d", n, maxForwarded)
	}
	if n := len(f.take()); n != 1 {
		t.Errorf("%d commands in the next call, want 1", n)
	}
	add(maxForward - maxCommand)
	add(maxCommand)
	last := add(1)
	if n := len(f.take()); n != 2 {
		t.Errorf("%d commands of %d bytes, want 2", n, maxForward)
	}
	if group := f.take(); len(group) != 1 || group[0] != last || !last.taken.Load() {
		t.Errorf("the next call has %d commands, want the last one", len(group))
	}
	add(1).taken.Store(true)
	kept := add(1)
	if group := f.take(); len(group) != 1 || group[0] != kept {
		t.Errorf("a call with %d commands, want the one that is waited for", len(group))
	}
	if group := f.take(); group != nil {
		t.Errorf("%d commands of an empty queue", len(group))
	}
}
