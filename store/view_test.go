package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"meridian/store/storepb"
)

func TestViewsAreSharedBetweenWrites(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	a, b := r.view(), r.view()
	if a != b {
		t.Error("two views of one index")
	}
	r.ok(&storepb.DisableKey{KeyId: idOf(1)})
	c := r.view()
	if c == a {
		t.Fatal("the view of before the write was given out after it")
	}
	for v, want := range map[*View]KeyState{a: Enabled, c: Disabled} {
		for range 2 { // from the file, from the memo
			if k, err := v.Key(id(1)); err != nil || k.State != want {
				t.Errorf("at %d: %v, %v; want %s", v.Index(), k, err, want)
			}
		}
	}
}

func TestViewClosedTwicePanics(t *testing.T) {
	r := newRegion(t)
	v, err := r.store.privateView()
	if err != nil {
		t.Fatal(err)
	}
	v.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	v.Close()
}

// TestReadersAndGrowth runs readers, a snapshotter and a writer on a mapping
// that has to grow again and again. It hangs if a writer ever waits for a view
// that nobody closes. Readers check that a view shows every write that was
// published before they took it, whether through the memo or not.
func TestReadersAndGrowth(t *testing.T) {
	r := emptyStore(t)
	r.store.Close()
	r.open(Config{InitialMmapSize: 1})
	r.ok(initRegion())
	r.ok(createKey(1))

	var published, reads atomic.Int64
	done := make(chan struct{})
	var readers sync.WaitGroup
	reader := func() error {
		for {
			select {
			case <-done:
				return nil
			default:
			}
			applied, _ := r.store.Applied()
			least := published.Load()
			v, err := r.store.View()
			if err != nil {
				return err
			}
			k, err := v.Key(id(1))
			if err == nil && v.Index() < applied {
				err = fmt.Errorf("a view at %d after %d was applied", v.Index(), applied)
			}
			v.Close()
			if err != nil {
				return err
			}
			number, _, _ := strings.Cut(k.Description, " ")
			n, _ := strconv.ParseInt(number, 10, 64)
			if n < least {
				return fmt.Errorf("read %d after %d was published", n, least)
			}
			reads.Add(1)
		}
	}
	for range 4 {
		readers.Go(func() {
			if err := reader(); err != nil {
				t.Error(err)
			}
		})
	}
	padding := strings.Repeat("x", 4000)
	const writes = 150
	for n := int64(1); n <= writes; n++ {
		c := createKey(int(n) + 1) // grows the file
		c.Description = padding
		entries := []Entry{
			r.entry(r.command(c)),
			r.entry(r.command(&storepb.UpdateKeyDescription{KeyId: idOf(1), Description: fmt.Sprint(n, " ", padding)})),
		}
		if _, err := r.store.Apply(entries); err != nil {
			t.Fatal(err)
		}
		published.Store(n)
	}
	close(done)
	readers.Wait()
	if reads.Load() < writes {
		t.Errorf("only %d reads beside %d writes", reads.Load(), writes)
	}
	r.check()
}

// Views that are held while others write keep the file from using pages again;
// views that are closed do not.
func TestFileGrowthIsBounded(t *testing.T) {
	r := newRegion(t)
	r.ok(createKey(1))
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(r.path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	round := func(from int) {
		for n := from; n < from+300; n++ {
			r.stamp += resultMs // results expire at once, so the state does not grow
			r.index += resultEntries
			r.ok(&storepb.UpdateKeyDescription{KeyId: idOf(1), Description: fmt.Sprint(n)})
			r.key(id(1)) // opens the shared view, which the next write takes back
		}
	}
	round(0)
	after := size()
	round(300)
	if now := size(); now > after {
		t.Errorf("the file grew from %d to %d bytes though nothing was added", after, now)
	}
}

func TestClosedStore(t *testing.T) {
	r := newRegion(t)
	e := r.entry(r.command(createKey(1)))
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
	_, viewErr := r.store.View()
	_, applyErr := r.store.Apply([]Entry{e})
	_, snapshotErr := r.store.Snapshot()
	for what, err := range map[string]error{
		"view": viewErr, "apply": applyErr, "snapshot": snapshotErr,
		"restore": r.store.Restore(strings.NewReader("")), "check": r.store.Check(t.Context()),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
