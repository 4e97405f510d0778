package cluster

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	calmInterval = 30 * time.Second
	calmNotes    = 3   // lines below WARN that may repeat within calmInterval; of others one
	calmLines    = 512 // different lines that are remembered
)

// calmHandler holds back lines of Raft and of the transport that repeat, which a
// peer that is down would cause several times a second. Once an interval one of
// them passes, with the number of those held back. Once the node stops, their
// complaints are about what the stop does, and pass as DEBUG.
type calmHandler struct {
	slog.Handler
	lines *calmMemory
	attrs string // part of the key, from WithAttrs
}

type calmMemory struct {
	now      func() time.Time
	stopping func() bool

	mu   sync.Mutex
	seen map[string]*calmLine
}

type calmLine struct {
	since        time.Time
	passed, held int
}

// newCalmLogger wraps the handler of l.
func newCalmLogger(l *slog.Logger, now func() time.Time, stopping func() bool) *slog.Logger {
	return slog.New(&calmHandler{Handler: l.Handler(), lines: &calmMemory{now: now, stopping: stopping, seen: map[string]*calmLine{}}})
}

func (h *calmHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level > slog.LevelInfo && h.lines.stopping() {
		r.Level = slog.LevelDebug
		if !h.Enabled(ctx, r.Level) {
			return nil
		}
	}
	if r.Level < slog.LevelInfo {
		return h.Handler.Handle(ctx, r)
	}
	key := r.Level.String() + " " + r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		key += calmKey(a)
		return true
	})
	allowed := calmNotes
	if r.Level > slog.LevelInfo {
		allowed = 1
	}
	held, pass := h.lines.take(key, allowed)
	if !pass {
		return nil
	}
	if held > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("held_back", held))
	}
	return h.Handler.Handle(ctx, r)
}

func (h *calmHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := &calmHandler{Handler: h.Handler.WithAttrs(attrs), lines: h.lines, attrs: h.attrs}
	for _, a := range attrs {
		next.attrs += calmKey(a)
	}
	return next
}

func (h *calmHandler) WithGroup(name string) slog.Handler {
	return &calmHandler{Handler: h.Handler.WithGroup(name), lines: h.lines, attrs: h.attrs}
}

// calmKey is what of an attribute makes a line another one: whom it is about, and
// the error without its numbers, which hold ports and times.
func calmKey(a slog.Attr) string {
	switch a.Key {
	case "peer", "server-id", "id", "from", "candidate", "target", "remote", "address":
		return " " + a.Value.String()
	case "error":
		return " " + strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return -1
			}
			return c
		}, a.Value.String())
	}
	return ""
}

// take decides whether a line passes, and how many like it were held back.
func (m *calmMemory) take(key string, allowed int) (held int, pass bool) {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	line := m.seen[key]
	if line == nil {
		if len(m.seen) >= calmLines {
			clear(m.seen)
		}
		line = &calmLine{since: now}
		m.seen[key] = line
	}
	if now.Sub(line.since) >= calmInterval {
		held = line.held
		*line = calmLine{since: now}
	}
	if line.passed >= allowed {
		line.held++
		return 0, false
	}
	line.passed++
	return held, true
}
