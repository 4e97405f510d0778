package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrOutcomeUnknown says that a write was sent and no answer came: it may or may not have been done.
var ErrOutcomeUnknown = errors.New("no answer came; whether the write was done is unknown")

// Error is an answer that is an error.
type Error struct {
	Code      string // such as Forbidden.KeyNotFound; go by this
	Message   string // for people
	Recommend string // what to do about it, or empty
	RequestID string
	HostID    string
	Status    int    // HTTP status
	Endpoint  string // that answered
	// Signed is the text that this client signed. Compare it with ServerText when Code is SignatureDoesNotMatch. It
	// may hold plaintext: show it to nobody but the caller.
	Signed string
}

// Error returns code, message and request id.
func (e *Error) Error() string {
	message := e.Message
	if at := strings.Index(message, serverTextMark); at >= 0 {
		message = strings.TrimSuffix(strings.TrimSpace(message[:at]), ", then compare:") // parameters are in that text
	}
	return fmt.Sprintf("%s: %s (request %s)", e.Code, message, e.RequestID)
}

const serverTextMark = "server string to sign is:"

// ServerText returns the text that the node signed, if the message tells it.
func (e *Error) ServerText() (string, bool) {
	_, text, ok := strings.Cut(e.Message, serverTextMark)
	return text, ok
}

// readError reads an error answer. An answer of another kind, from a proxy perhaps, keeps its status only.
func readError(resp *Response, status int, signed *signedRequest) error {
	var body struct{ Code, Message, Recommend, RequestId, HostId string }
	if err := json.Unmarshal(resp.Body, &body); err != nil || body.Code == "" {
		message := fmt.Sprintf("%s answered with status %d and no error of the API", resp.Endpoint, status)
		if line := firstLine(resp.Body); line != "" {
			message += ": " + line
		}
		return &Error{Code: "HTTP", Message: message,
			Status: status, RequestID: resp.RequestID, Endpoint: resp.Endpoint}
	}
	if body.RequestId != "" {
		resp.RequestID = body.RequestId
	}
	e := &Error{Code: body.Code, Message: body.Message, Recommend: body.Recommend, RequestID: resp.RequestID,
		HostID: body.HostId, Status: status, Endpoint: resp.Endpoint}
	if body.Code == "SignatureDoesNotMatch" {
		e.Signed = signed.stringToSign
	}
	return e
}

// firstLine is the first line of an answer in plain text, cut to what a message can hold; "" for anything else.
func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	line = strings.TrimSpace(line)
	const limit = 200
	if len(line) > limit || !utf8.ValidString(line) || strings.ContainsAny(line, "<>{}") || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return line
}

// transportError is what an attempt without an answer ends in. The query is never part of it.
func transportError(action string, endpoint *url.URL, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	if IsWrite(action) && !notSent(err) {
		return fmt.Errorf("%s: %w: %w", endpoint, ErrOutcomeUnknown, err)
	}
	return fmt.Errorf("%s: %w", endpoint, err)
}
