package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve runs a handler and returns it as an endpoint with one case.
func serve(t *testing.T, h http.HandlerFunc) (Endpoint, Case) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return Endpoint{Address: u.Host}, Case{Signers: []*Signer{NewSigner(u.Host, testKey, testCall)}, Weight: 1}
}

func run(t *testing.T, cfg Config) *Result {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClosedLoopMakesEachCallOnce(t *testing.T) {
	var calls atomic.Int64
	endpoint, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1)%4 == 0 {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"Code":"Rejected.Disabled"}`)
			return
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 5000)) // chunked
	})
	r := run(t, Config{Endpoints: []Endpoint{endpoint}, Cases: []Case{c}, Connections: 4, Count: 400})
	if calls.Load() != 400 || r.Calls() != 400 || r.Cases[0].Latency.Count() != 300 || r.Cases[0].Errors["Rejected.Disabled"] != 100 {
		t.Errorf("%d calls arrived; %d ended, errors %v", calls.Load(), r.Calls(), r.Cases[0].Errors)
	}
}

// One answer takes half a second while 100 calls a second are to start on one
// connection: the calls that had to wait for it count from when they were to
// start, so a fifth of all are slow, not one in a hundred.
func TestFixedRateCountsTheWaiting(t *testing.T) {
	const stall = 500 * time.Millisecond
	var calls atomic.Int64
	endpoint, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 20 {
			time.Sleep(stall) // the server's slowness itself
		}
		_, _ = io.WriteString(w, "{}")
	})
	r := run(t, Config{Endpoints: []Endpoint{endpoint}, Cases: []Case{c}, Connections: 1, Rate: 100, Duration: 2 * time.Second})
	h := &r.Cases[0].Latency
	if h.Count() != 200 || r.Unsent != 0 {
		t.Fatalf("%d calls, %d unsent; want 200 and none", h.Count(), r.Unsent)
	}
	if max := h.Max(); max < stall {
		t.Errorf("max %v is less than the stall", max)
	}
	// 50 calls were due during the stall; those of its first half waited for over
	// half of it. A closed loop's count would have one such call.
	if p90 := h.Quantile(0.90); p90 < stall/4 {
		t.Errorf("p90 is %v: the waiting is left out", p90)
	}
}

// The row of intended starts does not move when the load is late.
func TestIntendedStarts(t *testing.T) {
	p := &pace{cfg: Config{Rate: 1000, Duration: time.Second, Count: 0}, start: time.Now().Add(-500 * time.Millisecond)}
	for i := range 3 {
		intended, ok := p.wait(t.Context())
		if want := p.start.Add(time.Duration(i) * time.Millisecond); !ok || !intended.Equal(want) {
			t.Errorf("call %d is to start at %v, want %v", i, intended.Sub(p.start), want.Sub(p.start))
		}
	}
	if due := p.cfg.due(); due != 1000 {
		t.Errorf("%d calls are due, want 1000", due)
	}
}

func TestMixFollowsTheWeights(t *testing.T) {
	endpoint, a := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	b := a
	a.Weight, b.Weight = 3, 1
	r := run(t, Config{Endpoints: []Endpoint{endpoint}, Cases: []Case{a, b}, Connections: 2, Count: 4000})
	if n := r.Cases[0].Latency.Count(); n < 2800 || n > 3200 {
		t.Errorf("%d of 4000 calls are of the case with weight 3 of 4", n)
	}
}

// An endpoint that is gone costs errors with a name, and the others go on.
func TestDeadEndpoint(t *testing.T) {
	alive, c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	gone := httptest.NewServer(nil)
	u, _ := url.Parse(gone.URL)
	gone.Close()
	c.Signers = append(c.Signers, NewSigner(u.Host, testKey, testCall))
	cfg := Config{Endpoints: []Endpoint{alive, {Address: u.Host}}, Cases: []Case{c}, Connections: 2, Duration: 300 * time.Millisecond}
	r := run(t, cfg)
	if r.Cases[0].Latency.Count() == 0 || r.Cases[0].Errors["connection refused"] == 0 {
		t.Errorf("%d answers, errors %v", r.Cases[0].Latency.Count(), r.Cases[0].Errors)
	}
	cfg.Endpoints = []Endpoint{{Address: u.Host}}
	if _, err := Run(t.Context(), cfg); err == nil {
		t.Error("no error without any connection")
	}
}

// A run that is interrupted returns at once with what it has.
func TestInterruptedRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	var calls atomic.Int64
	endpoint, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 10 {
			cancel()
			<-release
		}
		_, _ = io.WriteString(w, "{}")
	})
	defer close(release)
	r, err := Run(ctx, Config{Endpoints: []Endpoint{endpoint}, Cases: []Case{c}, Connections: 1, Duration: time.Hour, Timeout: time.Hour})
	if err != nil || r.Cases[0].Latency.Count() != 10 || r.Cases[0].Failed() != 0 {
		t.Errorf("%v; %d answers, errors %v", err, r.Cases[0].Latency.Count(), r.Cases[0].Errors)
	}
}
