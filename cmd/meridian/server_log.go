package main

import (
	"io"
	"log/slog"
)

// newLogger writes one line an event on w. The level can be changed while it
// runs. Every line has an "event", a name that does not change between
// versions; "msg" is for people.
func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
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
