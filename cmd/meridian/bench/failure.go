package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// errorCode is the API's code in an answer that is an error.
func errorCode(status int, body []byte) string {
	var answer struct{ Code string }
	if err := json.Unmarshal(body, &answer); err != nil || answer.Code == "" {
		return "HTTP " + strconv.Itoa(status)
	}
	return answer.Code
}

// failed counts a call that failed.
func (w *worker) failed(i int, err error) {
	if w.results[i].Errors == nil {
		w.results[i].Errors = map[string]int64{}
	}
	w.results[i].Errors[kind(err)]++
}

// kind is a short name for what went wrong, of which there are few.
func kind(err error) string {
	var answer *refused
	var timeout net.Error
	switch {
	case errors.As(err, &answer):
		return answer.code
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	}
	return "connection: " + err.Error()
}
