package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// newLogger writes one line an event on w. The level can be changed while it
// runs. Every line has an "event", a name for machines that does not change
// between versions; "msg" is for people. identity, key and value in turn, stands
// in every line.
func newLogger(w io.Writer, format string, level slog.Leveler, identity ...string) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var inner slog.Handler = slog.NewJSONHandler(w, options)
	if format == "text" {
		inner = slog.NewTextHandler(w, options)
	}
	h := &eventHandler{Handler: inner}
	for i := 0; i+1 < len(identity); i += 2 {
		h.taken = append(h.taken, identity[i])
		h.Handler = h.Handler.WithAttrs([]slog.Attr{slog.String(identity[i], identity[i+1])})
	}
	return slog.New(h)
}

// eventHandler gives lines of libraries, which know nothing of events, what
// every line has: an event, made from the message, and no key twice.
type eventHandler struct {
	slog.Handler
	taken []string // keys that stand in every line
	named bool     // an attribute "event" was given with With
}

func (h *eventHandler) Handle(ctx context.Context, r slog.Record) error {
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	named := h.named
	r.Attrs(func(a slog.Attr) bool {
		named = named || a.Key == "event"
		line.AddAttrs(h.fit(a))
		return true
	})
	if !named {
		line.AddAttrs(slog.String("event", eventName(r.Message)))
	}
	return h.Handler.Handle(ctx, line)
}

func (h *eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := &eventHandler{taken: h.taken, named: h.named}
	fitting := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		next.named = next.named || a.Key == "event"
		fitting[i] = h.fit(a)
	}
	next.Handler = h.Handler.WithAttrs(fitting)
	return next
}

func (h *eventHandler) WithGroup(name string) slog.Handler {
	return &eventHandler{Handler: h.Handler.WithGroup(name), taken: h.taken, named: h.named}
}

// fit renames an attribute whose key stands in the line already, and has values
// that know how to print themselves do so: as JSON they would be empty.
func (h *eventHandler) fit(a slog.Attr) slog.Attr {
	if slices.Contains(h.taken, a.Key) {
		a.Key = "about_" + a.Key
	}
	if a.Value.Kind() == slog.KindAny {
		if s, ok := a.Value.Any().(fmt.Stringer); ok {
			a.Value = slog.StringValue(s.String())
		}
	}
	return a
}

// eventName makes a name of a message: its words up to a colon. Raft's lines are
// all called raft: their texts are not ours to keep.
func eventName(message string) string {
	head, _, _ := strings.Cut(message, ":")
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		}
		return '_'
	}, head)
	return strings.Trim(name, "_")
}

// logLevel reads a checked log.level.
func logLevel(text string) slog.Level {
	switch text {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}
