package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster/access"
	"meridian/crypto"
)

// listen serves a face on loopback within the limits of HTTPServer.
func listen(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := s.HTTPServer()
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a request and returns the status of the answer.
func ask(t *testing.T, c net.Conn, request string) (int, error) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// TestHeaderLimit sends heads of 64 KiB and somewhat more: a long query is normal, a longer head is not read.
func TestHeaderLimit(t *testing.T) {
	addr := listen(t, newFace(t, faceNow, []string{faceHost}))
	for size, want := range map[int]int{9 << 10: http.StatusBadRequest, MaxHeaderBytes: http.StatusBadRequest, MaxHeaderBytes + 1: http.StatusRequestHeaderFieldsTooLarge} {
		head := "GET /?a=%s HTTP/1.1\r\nHost: x\r\n\r\n"
		status, err := ask(t, dial(t, addr), fmt.Sprintf(head, strings.Repeat("x", size-len(head)+2)))
		if err != nil || status != want {
			t.Errorf("head of %d bytes: %d, %v; want %d", size, status, err, want)
		}
	}
}

// TestConnectionLimit opens as many connections as an address may have, and one more.
func TestConnectionLimit(t *testing.T) {
	ids, err := access.NewRoot("1", access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
	if err != nil {
		t.Fatal(err)
	}
	const limit = 3
	s, err := New(Config{Region: noRegion{}, RegionID: "r", Account: "1", NodeID: "n", Identities: ids, Limits: Limits{ConnectionsPerAddress: limit}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	addr := listen(t, s)
	const request = "PUT / HTTP/1.1\r\nHost: x\r\n\r\n"
	var open []net.Conn
	for i := range limit {
		c := dial(t, addr)
		if status, err := ask(t, c, request); err != nil || status != http.StatusForbidden {
			t.Fatalf("connection %d: %d, %v", i, status, err)
		}
		open = append(open, c)
	}
	if status, err := ask(t, dial(t, addr), request); err == nil {
		t.Errorf("one past the limit: %d", status)
	}
	// A connection that ends makes room, once the server has seen it end.
	open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if status, err := ask(t, dial(t, addr), request); err == nil && status == http.StatusForbidden {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a connection that ended makes no room")
		}
	}
}

func TestHTTPServerLimits(t *testing.T) {
	server := newFace(t, faceNow, nil).HTTPServer()
	if server.ReadHeaderTimeout != 5*time.Second || server.ReadTimeout != 15*time.Second || server.IdleTimeout != time.Minute || server.HTTP2.MaxConcurrentStreams != 100 {
		t.Errorf("%+v", server)
	}
}

// TestHTTP2 answers over TLS and HTTP/2, where a Host is an authority and there is no reason phrase.
func TestHTTP2(t *testing.T) {
	var node atomic.Pointer[Server]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { node.Load().ServeHTTP(w, r) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, v := range readVectors(t) {
		if v.Verdict != "accept" || v.Method != http.MethodPost {
			continue
		}
		node.Store(newFace(t, v.Now, []string{"kms.example.test"}, access.Key{ID: v.KeyID, Secret: crypto.Secret(v.KeySecret)}))
		r, err := http.NewRequest(v.Method, server.URL+v.Target, strings.NewReader(v.Body))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range v.Headers {
			if h[0] == "Host" {
				r.Host = h[1]
			} else {
				r.Header.Set(h[0], h[1])
			}
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.ProtoMajor != 2 || strings.Contains(string(body), "Signature") {
			t.Errorf("%s: %s %s", v.ID, answer.Proto, body)
		}
	}
}

// TestWrongRequestsGetTheProtocolsErrors sends what a browser or a probe would, over a socket: it is answered in the
// protocol's own form, not with a page of net/http, and never with a redirect, which a signed request cannot follow.
func TestWrongRequestsGetTheProtocolsErrors(t *testing.T) {
	addr := listen(t, newFace(t, faceNow, []string{faceHost}))
	for request, want := range map[string]string{
		"GET /console":     CodeInvalidActionNotFound,
		"GET //":           CodeInvalidActionNotFound,
		"GET /x/../":       CodeInvalidActionNotFound,
		"POST /index.html": CodeInvalidActionNotFound,
		"PUT /":            CodeUnsupportedHTTPMethod,
		"DELETE /x":        CodeUnsupportedHTTPMethod,
		"OPTIONS *":        CodeUnsupportedHTTPMethod,
		"CONNECT h:1":      CodeUnsupportedHTTPMethod,
	} {
		c := dial(t, addr)
		if _, err := io.WriteString(c, request+" HTTP/1.1\r\nHost: "+faceHost+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		var body struct{ Code, RequestId, HostId string }
		err = json.NewDecoder(answer.Body).Decode(&body)
		if err != nil || body.Code != want || body.RequestId == "" || answer.Header.Get("Content-Type") != "application/json;charset=utf-8" {
			t.Errorf("%s: status %d, %+v, %v; want %s", request, answer.StatusCode, body, err, want)
		}
	}
}
