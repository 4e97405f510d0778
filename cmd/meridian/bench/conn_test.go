package bench

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func TestReadAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, wire string
		status     int
		body       string
		err        string
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", ""},
		{"error status", "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nRetry-After: 1\r\n\r\n", 503, "", ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n", 200, "abc0123456789", ""},
		{"closing", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", errClosing.Error()},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 0, "", "no HTTP/1.1"},
		{"no length", "HTTP/1.1 200 OK\r\n\r\n", 200, "", "no length"},
		{"bad length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 0, "", "bad Content-Length"},
		{"too long", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", 200, "", "longer than"},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200, "", "bad chunk"},
		{"chunks too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff0\r\n", 200, "", "longer than"},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 200, "", "unexpected EOF"},
		{"cut head", "HTTP/1.1 200 OK\r\nContent-", 0, "", "EOF"},
		{"long header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", readBuffer) + "\r\n\r\n", 0, "", "longer than"},
	} {
		c := &Conn{r: bufio.NewReaderSize(strings.NewReader(tc.wire), readBuffer)}
		status, body, err := c.read()
		if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.err)
		}
		if status != tc.status || (err == nil || errors.Is(err, errClosing)) && string(body) != tc.body {
			t.Errorf("%s: %d %q, want %d %q", tc.name, status, body, tc.status, tc.body)
		}
	}
}

// FuzzRead: no answer makes the reader panic or take unbounded memory.
func FuzzRead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, wire string) {
		c := &Conn{r: bufio.NewReaderSize(strings.NewReader(wire), readBuffer)}
		if _, body, err := c.read(); err == nil && len(body) > len(wire) {
			t.Errorf("%d bytes of body in %d", len(body), len(wire))
		}
	})
}
