package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestRepeatedLinesAreHeldBack(t *testing.T) {
	var out bytes.Buffer
	now, stopping := time.Unix(1000, 0), false
	calm := newCalmLogger(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now }, func() bool { return stopping })
	l := newRaftLogger(calm)
	lines := func() int {
		count := strings.Count(out.String(), "\n")
		out.Reset()
		return count
	}
	fail := func(peer string, port int) {
		l.Error("failed to appendEntries to", "peer", peer, "error", fmt.Errorf("read tcp 10.0.0.1:%d: reset", port))
	}
	for port := range 50 {
		fail("n2", port)
		fail("n3", port)
	}
	if text := out.String(); strings.Contains(text, "ERROR") {
		t.Errorf("a peer that is down is an error of this node: %s", text)
	}
	if got := lines(); got != 2 {
		t.Errorf("%d lines about two peers, want one each", got)
	}
	l.Error("failed to appendEntries to", "peer", "n2", "error", errors.New("no space left"))
	if lines() != 1 {
		t.Error("another cause is held back")
	}
	now = now.Add(calmInterval)
	fail("n2", 1)
	if text := out.String(); !strings.Contains(text, "held_back=49") {
		t.Errorf("no count in %q", text)
	}
	out.Reset()
	for range 10 {
		l.Info("entering candidate state", "term", 7)
	}
	if got := lines(); got != calmNotes {
		t.Errorf("%d notes, want %d", got, calmNotes)
	}
	stopping = true
	l.Error("failed to accept connection", "error", errors.New("closed"))
	if lines() != 0 {
		t.Error("a clean stop complains")
	}
}

func TestCalmMemoryIsBounded(t *testing.T) {
	m := &calmMemory{now: time.Now, seen: map[string]*calmLine{}}
	for i := range 10 * calmLines {
		m.take(fmt.Sprint(i), 1)
	}
	if len(m.seen) > calmLines {
		t.Errorf("%d lines are remembered", len(m.seen))
	}
}
