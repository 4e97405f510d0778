package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is an error as the caller of the API sees it. It never holds plaintext, ciphertext or a secret.
type Error struct {
	Code       string        // one of those in error_codes.go
	Status     int           // HTTP status
	Message    string        // for people; clients go by Code
	Recommend  string        // what the caller can do, or empty
	RetryAfter time.Duration // sent as Retry-After, in whole seconds, if above zero
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is reports whether target is an *Error of the same code, so that errors.Is(err, &Error{Code: CodeX}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// newError makes an error of the table. The arguments fill the {places} of its message, in order of appearance.
// A code that the table does not hold becomes InternalFailure.
func newError(code string, args ...any) *Error {
	kind, ok := errorKinds[code]
	if !ok {
		code, kind = CodeInternalFailure, errorKinds[CodeInternalFailure]
	}
	e := &Error{Code: code, Status: kind.status, Message: fillTemplate(kind.message, args), Recommend: kind.recommend}
	if kind.status == http.StatusTooManyRequests || kind.status == http.StatusServiceUnavailable {
		e.RetryAfter = time.Second
	}
	return e
}

// fillTemplate replaces each {name} by the next argument; a place without an argument loses its braces.
func fillTemplate(template string, args []any) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			break
		}
		end := open + strings.IndexByte(template[open:], '}')
		if end < open {
			break
		}
		b.WriteString(template[:open])
		if len(args) > 0 {
			fmt.Fprint(&b, args[0])
			args = args[1:]
		} else {
			b.WriteString(template[open+1 : end])
		}
		template = template[end+1:]
	}
	b.WriteString(template)
	return b.String()
}

// errMissing says that a parameter or header was not given.
func errMissing(name string) *Error { return newError(CodeMissingParameter, name) }

// errInvalid says why the value of a parameter is not allowed. The reason is part of a sentence: no capital, no stop.
func errInvalid(name, reason string) *Error { return newError(CodeInvalidParameter, name, reason) }

// errParse says why a request cannot be read.
func errParse(reason string) *Error { return newError(CodeParseRequestParameterException, reason) }

// errTooLarge says that a body is over the limit, with status 413.
func errTooLarge(reason string) *Error {
	e := errParse(reason)
	e.Status = http.StatusRequestEntityTooLarge
	return e
}

// errUnavailable says why this node cannot answer now, and when to ask again.
func errUnavailable(reason string, after time.Duration) *Error {
	e := newError(CodeServiceUnavailableTemporary, reason)
	e.RetryAfter = after
	return e
}

// errThrottled names the limit that was reached, and when to ask again.
func errThrottled(limit string, after time.Duration) *Error {
	e := newError(CodeRejectedThrottling, limit, retrySeconds(after))
	e.RetryAfter = after
	return e
}

// errInternal is the answer to a fault of ours; its cause goes to the log, not to the caller.
func errInternal(requestID string) *Error { return newError(CodeInternalFailure, requestID) }

// retrySeconds rounds up to whole seconds, one at the least.
func retrySeconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }
