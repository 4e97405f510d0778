package api

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
)

// failure turns what an action returned into an answer. Faults of ours are logged with the request id and answered
// without their cause.
func (s *Server) failure(c *Call, err error) *Error {
	e := apiError(c, err)
	if e.Code == CodeInternalFailure {
		s.cfg.Logger.Error("request failed", slog.String("event", "api.failure"), slog.String("request_id", c.RequestID),
			slog.String("action", c.Action.Name), slog.String("error", err.Error()))
	}
	return e
}

// logPanic logs that a handler panicked and where: functions and lines, but no arguments, which hold what was in the
// request. What the panic said is kept only if it came from the runtime, which quotes no data but indexes and types.
func (s *Server) logPanic(x *exchange, p any) {
	at := panicFrames(framesOfRecovery + 1)
	if other, ok := p.(*slotPanic); ok {
		p, at = other.value, other.at
	}
	text := fmt.Sprintf("%T", p)
	var fault runtime.Error
	if err, ok := p.(error); ok && errors.As(err, &fault) {
		text = fault.Error()
	}
	action := actionUnknown
	if x.call.Action != nil {
		action = x.call.Action.Name
	}
	s.cfg.Logger.Error("handler panicked", slog.String("event", "api.panic"), slog.String("request_id", x.call.RequestID),
		slog.String("action", action), slog.String("panic", text), slog.String("at", at))
	s.metrics.panics.Inc()
}

// framesOfRecovery is what a list of frames begins with where a deferred function asks for it: runtime.Callers,
// panicFrames and that function.
const framesOfRecovery = 3

// panicFrames lists the frames of the panic under way, innermost first, without the first few. What did the work of another
// request is no part of it.
func panicFrames(skip int) string {
	const depth = 16
	var pcs [depth]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(skip, pcs[:])])
	var b strings.Builder
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, ".(*slotWaiter).run") {
			more = false
		} else {
			fmt.Fprintf(&b, "%s:%d ", frame.Function, frame.Line)
		}
		if !more {
			return strings.TrimSpace(b.String())
		}
	}
}
