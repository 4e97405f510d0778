package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger gives Raft's log lines to slog. Levels are decided by the slog
// handler alone.
type raftLogger struct {
	slog *slog.Logger
	name string
	args []any
}

var _ hclog.Logger = (*raftLogger)(nil)

func newRaftLogger(l *slog.Logger) hclog.Logger { return &raftLogger{slog: l, name: "raft"} }

// slogLevel maps hclog's levels; Trace lies below slog's Debug.
func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace:
		return slog.LevelDebug - 4
	case hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	}
	return slog.LevelInfo
}

// peerTrouble are lines about a peer that is down, which is no error of this
// node. What watchPeers says already is for debugging only.
var peerTrouble = map[string]slog.Level{
	"failed to heartbeat to":                    slog.LevelDebug,
	"failed to contact":                         slog.LevelDebug,
	"failed to appendEntries to":                slog.LevelWarn,
	"failed to make requestVote RPC":            slog.LevelWarn,
	"peer has newer term, stopping replication": slog.LevelWarn,
}

func (l *raftLogger) Log(level hclog.Level, message string, args ...any) {
	at := slogLevel(level)
	if lower, ok := peerTrouble[message]; ok {
		at = lower
	}
	if level == hclog.Off || !l.slog.Enabled(context.Background(), at) {
		return
	}
	l.slog.Log(context.Background(), at, l.name+": "+message, rendered(args)...)
}

// rendered turns hclog's deferred formats and byte dumps into text.
func rendered(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case hclog.Format:
			if format, ok := v[0].(string); ok {
				arg = fmt.Sprintf(format, v[1:]...)
			}
		case hclog.Hex, hclog.Octal, hclog.Binary, hclog.Quote:
			arg = fmt.Sprintf("%v", v)
		}
		out[i] = arg
	}
	return out
}

func (l *raftLogger) Trace(message string, args ...any) { l.Log(hclog.Trace, message, args...) }
func (l *raftLogger) Debug(message string, args ...any) { l.Log(hclog.Debug, message, args...) }
func (l *raftLogger) Info(message string, args ...any)  { l.Log(hclog.Info, message, args...) }
func (l *raftLogger) Warn(message string, args ...any)  { l.Log(hclog.Warn, message, args...) }
func (l *raftLogger) Error(message string, args ...any) { l.Log(hclog.Error, message, args...) }

func (l *raftLogger) enabled(level hclog.Level) bool {
	return l.slog.Enabled(context.Background(), slogLevel(level))
}

func (l *raftLogger) IsTrace() bool { return l.enabled(hclog.Trace) }
func (l *raftLogger) IsDebug() bool { return l.enabled(hclog.Debug) }
func (l *raftLogger) IsInfo() bool  { return l.enabled(hclog.Info) }
func (l *raftLogger) IsWarn() bool  { return l.enabled(hclog.Warn) }
func (l *raftLogger) IsError() bool { return l.enabled(hclog.Error) }

func (l *raftLogger) ImpliedArgs() []any { return l.args }
func (l *raftLogger) Name() string       { return l.name }

func (l *raftLogger) With(args ...any) hclog.Logger {
	implied := append(append([]any(nil), l.args...), args...)
	return &raftLogger{slog: l.slog.With(rendered(args)...), name: l.name, args: implied}
}

func (l *raftLogger) Named(name string) hclog.Logger {
	return &raftLogger{slog: l.slog, name: l.name + "." + name, args: l.args}
}

func (l *raftLogger) ResetNamed(name string) hclog.Logger {
	return &raftLogger{slog: l.slog, name: name, args: l.args}
}

func (l *raftLogger) SetLevel(hclog.Level) {}

func (l *raftLogger) GetLevel() hclog.Level {
	for _, level := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn} {
		if l.enabled(level) {
			return level
		}
	}
	return hclog.Error
}

func (l *raftLogger) StandardLogger(o *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(o), "", 0)
}

func (l *raftLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return lineWriter{l} }

type lineWriter struct{ to *raftLogger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.to.Info(string(p))
	return len(p), nil
}
