package api

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fullDisk is where there is no room for tables.
type fullDisk struct{ memoryExtents }

func (*fullDisk) get(int, int64) ([]uint64, int, error) { return nil, 0, syscall.ENOSPC }

// TestNoRoomForNonces fills the disk: the node refuses, says that it is its own fault, and logs why, once a minute.
func TestNoRoomForNonces(t *testing.T) {
	h := newHarness(t, Limits{})
	var log bytes.Buffer
	h.server.nonces.logger = slog.New(slog.NewTextHandler(&log, nil))
	h.server.nonces.extents = &fullDisk{}
	for range 3 {
		r := h.fails(t, CodeServiceUnavailableTemporary, "ListKeys", nil)
		if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || strings.Contains(r.raw, "space") {
			t.Errorf("answered %d %s", r.status, r.raw)
		}
	}
	if n := strings.Count(log.String(), "api.nonces_unkept"); n != 1 || !strings.Contains(log.String(), syscall.ENOSPC.Error()) {
		t.Errorf("%d lines in the first minute:\n%s", n, log.String())
	}
	h.clock.advance(unkeptInterval)
	h.fails(t, CodeServiceUnavailableTemporary, "ListKeys", nil)
	if n := strings.Count(log.String(), "api.nonces_unkept"); n != 2 {
		t.Errorf("%d lines after a minute", n)
	}
	h.server.nonces.extents = &memoryExtents{}
	h.ok(t, "ListKeys", nil)
}

// TestBootUnknown starts a node on a host that does not tell whether it was started again: what may have been lost with
// that is refused, and the log says so.
func TestBootUnknown(t *testing.T) {
	settings := nonceSettings(filepath.Join(t.TempDir(), "nonces"), 10, 10, nonceEpoch)
	g, err := openNonces(settings)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.use("key", "a", nonceEpoch.Add(NonceWindow), nonceEpoch); got != nonceFresh {
		t.Fatal(got)
	}
	closeNonces(t, g)
	var log bytes.Buffer
	settings.logger = slog.New(slog.NewTextHandler(&log, nil))
	settings.bootID = func() (id [40]byte, err error) { return id, errors.New("no such file") }
	for range 2 {
		log.Reset()
		if g, err = openNonces(settings); err != nil {
			t.Fatal(err)
		}
		if !g.beforeMemory(nonceEpoch) || g.beforeMemory(nonceEpoch.Add(2*time.Second)) {
			t.Errorf("requests are refused up to %v", time.Unix(g.floor.Load(), 0).UTC())
		}
		if n := strings.Count(log.String(), "api.nonces_boot_unknown"); n != 1 || !strings.Contains(log.String(), "no such file") {
			t.Errorf("%d warnings:\n%s", n, log.String())
		}
		closeNonces(t, g)
	}
}
