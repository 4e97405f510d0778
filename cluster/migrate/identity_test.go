package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"meridian/crypto"
)

// A region of Meridian says which one it is; another service is taken for what the file of regions calls it.
func TestIdentify(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*cloud)
		own    bool
		err    error
	}{
		"Meridian":        {func(*cloud) {}, true, nil},
		"no right to ask": {func(c *cloud) { c.native.refuse = func(string) (int, string) { return 403, "Forbidden.NoPermission" } }, true, nil},
		"another service": {func(c *cloud) { c.native = nil }, false, nil},
		"another region":  {func(c *cloud) { c.native.calledSelf = "cn-other" }, false, ErrAnotherRegion},
	} {
		t.Run(name, func(t *testing.T) {
			c := newNativeCloud(t, "cn-a", 1)
			test.change(c)
			r := c.region(t)
			if err := r.Identify(t.Context()); !errors.Is(err, test.err) || r.own != test.own {
				t.Errorf("own %v, %v", r.own, err)
			}
		})
	}
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*cloud{from, to} {
		c.native.calledSelf = "cn-other"
		if _, err := NewNative(t.Context(), from.region(t), to.region(t), mapping); !errors.Is(err, ErrAnotherRegion) {
			t.Errorf("%s is another region: %v", c.id, err)
		}
		c.native.calledSelf = ""
	}
}

// What a region of Meridian answers as the new blob has to be one of its own, under the key that was asked for; a blob of
// another service has no form that could be looked at, but no blob is longer than maxSealed.
func TestSealedBlobsAreChecked(t *testing.T) {
	other := newCloud(t, "cn-b", 1) // of the same name, with another key
	elsewhere := newCloud(t, "cn-c", 1)
	blobOf := func(c *cloud) func([]byte) []byte {
		return func([]byte) []byte {
			blob, err := c.seal([]byte("x"), crypto.Context{})
			if err != nil {
				t.Error(err)
			}
			return blob
		}
	}
	bytesOf := func(n int) func([]byte) []byte { return func([]byte) []byte { return make([]byte, n) } }
	for name, test := range map[string]struct {
		change     func([]byte) []byte
		own, moved bool
	}{
		"its own":                      {nil, true, true},
		"no blob":                      {bytesOf(100), true, false},
		"of another key":               {blobOf(other), true, false},
		"of another region":            {blobOf(elsewhere), true, false},
		"of another service":           {bytesOf(100), false, true},
		"of another service, long":     {bytesOf(maxSealed), false, true},
		"of another service, too long": {bytesOf(maxSealed + 1), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
			to.changeSealed = test.change
			folder := t.TempDir()
			way := newTestWay(t, from, to)
			way.to.own = test.own
			way.routes.to.own = test.own
			input := from.row(t, "data key", "") + "\n"
			last, err := Run(t.Context(), testConfig(t, folder, []byte(input), way))
			if err != nil {
				t.Fatal(err)
			}
			output, err := os.ReadFile(filepath.Join(folder, "out"))
			if err != nil {
				t.Fatal(err)
			}
			_, history, err := ReadJournal(filepath.Join(folder, "journal"))
			switch {
			case err != nil:
				t.Fatal(err)
			case test.moved:
				if last.Counts != (Counts{Moved: 1}) {
					t.Errorf("%+v, %+v", last.Counts, history.Failures)
				}
			case last.Counts != (Counts{Failed: 1}) || history.Failures[0].Code != FaultDiffers || !strings.HasPrefix(string(output), strings.TrimSuffix(input, "}\n")):
				t.Errorf("%+v, %+v, output %.200s", last.Counts, history.Failures, output)
			}
		})
	}
}

// A list of aliases that does not end is an error, not a wait without end.
func TestAliasesWithoutEnd(t *testing.T) {
	c := newCloud(t, "cn-a", 1)
	c.endless = true
	if _, err := c.region(t).Key(t.Context(), "alias/pay"); err == nil || !strings.Contains(err.Error(), "does not end") || c.calls["ListAliasesByKeyId"] != maxAliasPages {
		t.Errorf("%v after %d pages", err, c.calls["ListAliasesByKeyId"])
	}
}

// A transport key that is another one at each asking does not have a call made again without end.
func TestTransportKeysWithoutEnd(t *testing.T) {
	from, to := newNativeCloud(t, "cn-a", 1), newNativeCloud(t, "cn-b", 1)
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	way, err := NewNative(t.Context(), from.region(t), to.region(t), mapping)
	if err != nil {
		t.Fatal(err)
	}
	from.native.refuse = func(action string) (int, string) {
		if action != "ExportDataKeys" {
			return 0, ""
		}
		to.native.mu.Lock()
		defer to.native.mu.Unlock()
		to.native.most++
		to.native.keys[to.native.most] = to.native.keys[to.native.most-1]
		return 400, "InvalidParameter"
	}
	_, err = Run(t.Context(), testConfig(t, t.TempDir(), []byte(from.row(t, "x", "")+"\n"), way))
	if err == nil || from.native.calls["ExportDataKeys"] != maxRenewals+1 {
		t.Errorf("%v after %d calls", err, from.native.calls["ExportDataKeys"])
	}
}

// What rows name that can be no key is not remembered, and takes no memory.
func TestLongNamesAreForgotten(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	way := newTestWay(t, from, to)
	row := strings.Replace(from.row(t, "x", ""), "{", `{"to":"`+strings.Repeat("k", maxKeyName+1)+`",`, 1)
	if _, err := Run(t.Context(), testConfig(t, t.TempDir(), []byte(row+"\n"), way)); err != nil {
		t.Fatal(err)
	}
	if len(way.routes.known) != 0 {
		t.Errorf("%d routes are known", len(way.routes.known))
	}
}

// Only what looks like a request id goes into a journal.
func TestRequestIDs(t *testing.T) {
	var c trafficCounter
	for _, id := range []string{"", strings.Repeat("x", 65), "a b", "a%2B", "\x1b[2J", "é"} {
		if c.answered(id); c.is.First != "" || c.is.Last != "" {
			t.Errorf("%q is kept: %+v", id, c.is)
		}
	}
	for _, id := range []string{strings.Repeat("x", 64), "7021B6EC-4BE7-4D3C-8A68-1D5A2B0A9D5B"} {
		if c.answered(id); c.is.Last != id {
			t.Errorf("%q is not kept: %+v", id, c.is)
		}
	}
	if c.is.Calls != 8 {
		t.Errorf("%d calls", c.is.Calls)
	}
}

// Where a FIFO takes the place of a file nobody waits for who writes to it.
func TestFifoInTheFoldersPlace(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "f")
	if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	info, err := root.Lstat("f")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600)); err != nil {
		t.Fatal(err)
	}
	done := make(chan *RowError, 1)
	go func() {
		_, refused := readSmall(root, "f", info, 100)
		done <- refused
	}()
	select {
	case refused := <-done:
		if refused == nil || refused.Code != FaultChanged {
			t.Errorf("refused %v", refused)
		}
	case <-time.After(20 * time.Second):
		t.Error("it is waited for")
	}
}
