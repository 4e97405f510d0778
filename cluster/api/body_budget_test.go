package api

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// askedFor notes how much room its reader offers.
type askedFor struct {
	io.Reader
	rooms []int
}

func (a *askedFor) Read(p []byte) (int, error) {
	a.rooms = append(a.rooms, len(p))
	return a.Reader.Read(p)
}

// TestBodyBufferGrowsWithItsBytes declares the longest body: only the bytes that arrive take memory.
func TestBodyBufferGrowsWithItsBytes(t *testing.T) {
	for _, declared := range []int64{MaxBodyBytes, -1} {
		for _, size := range []int{1, firstBody - 1, firstBody, firstBody + 1, 3 * firstBody, MaxBodyBytes} {
			text := "a=" + strings.Repeat("x", max(size-2, 0))
			body := &askedFor{Reader: strings.NewReader(text)}
			r := httptest.NewRequest(http.MethodPost, "/", body)
			r.Header.Set("Content-Type", formType)
			r.ContentLength = declared
			var pool exchangePool
			x := pool.take()
			if err := x.parse(r); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if !bytes.Equal(x.body, []byte(text)) {
				t.Errorf("%d bytes: the body is not what was sent", size)
			}
			if body.rooms[0] > firstBody || cap(x.body) > max(2*len(text), firstBody) {
				t.Errorf("%d bytes: room for %d before the first, %d in the end", size, body.rooms[0], cap(x.body))
			}
		}
	}
}

// stall sends a head with a body that does not come, and waits until the server has it.
func stall(t *testing.T, s *Server, addr string) net.Conn {
	t.Helper()
	before := s.bodies.inFlight.Load()
	c := dial(t, addr)
	if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\na", formType, MaxBodyBytes); err != nil {
		t.Fatal(err)
	}
	awaitBodies(t, s, func(n int64) bool { return n > before })
	return c
}

func awaitBodies(t *testing.T, s *Server, reached func(int64) bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !reached(s.bodies.inFlight.Load()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of bodies are in flight", s.bodies.inFlight.Load())
		}
	}
}

// TestBodiesInFlight lets bodies wait up to the limit of the server: then others are refused, until one is gone.
func TestBodiesInFlight(t *testing.T) {
	s := newFace(t, faceNow, []string{faceHost})
	if s.bodies.limit != maxBodiesInFlight {
		t.Errorf("limit %d", s.bodies.limit)
	}
	s.bodies.limit = 2*(waitingRequest+firstBody) + 2<<10 // two, with their heads
	addr := listen(t, s)
	open := []net.Conn{stall(t, s, addr), stall(t, s, addr)}
	full := s.bodies.inFlight.Load()

	post := func() *http.Response {
		t.Helper()
		answer, err := http.Post("http://"+addr, formType, strings.NewReader("Action=X"))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		_, _ = io.Copy(io.Discard, answer.Body)
		return answer
	}
	defer http.DefaultClient.CloseIdleConnections()
	if answer := post(); answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one past the limit: %s, Retry-After %q", answer.Status, answer.Header.Get("Retry-After"))
	}
	awaitBodies(t, s, func(n int64) bool { return n == full })
	if status, err := ask(t, dial(t, addr), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil || status == http.StatusTooManyRequests {
		t.Errorf("without a body: %d, %v", status, err)
	}
	for _, c := range open {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	awaitBodies(t, s, func(n int64) bool { return n == 0 })
	if answer := post(); answer.StatusCode == http.StatusTooManyRequests {
		t.Errorf("with room again: %s", answer.Status)
	}
	awaitBodies(t, s, func(n int64) bool { return n == 0 })
}

// TestOptionsOfTheServer asks for the server as a whole: that is a method that is not served.
func TestOptionsOfTheServer(t *testing.T) {
	addr := listen(t, newFace(t, faceNow, []string{faceHost}))
	if status, err := ask(t, dial(t, addr), "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil || status != http.StatusForbidden {
		t.Errorf("%d, %v", status, err)
	}
}
