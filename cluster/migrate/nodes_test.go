package migrate

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// Nodes are asked in turn; one that failed rests, longer each time, and is tried by one caller alone when its rest is over.
func TestNodesRest(t *testing.T) {
	l := newNodeList(3)
	now := time.Unix(1000, 0)
	picks := func(n int) (got []int) {
		for range n {
			got = append(got, l.pick(now, make([]bool, 3)))
		}
		return got
	}
	counts := func(picked []int) (c [3]int) {
		for _, at := range picked {
			c[at]++
		}
		return c
	}
	if c := counts(picks(30)); c != [3]int{10, 10, 10} {
		t.Errorf("nodes are asked %v times", c)
	}
	l.failed(1, now, now)
	if c := counts(picks(30)); c[1] != 0 {
		t.Errorf("a node that failed is asked %d times", c[1])
	}
	l.failed(1, now.Add(-time.Second), now) // one that was under way when the rest began
	rest := firstRest
	for range 10 {
		now = now.Add(rest - time.Nanosecond)
		if c := counts(picks(10)); c[1] != 0 {
			t.Fatalf("it is asked before its rest of %v is over", rest)
		}
		now = now.Add(time.Nanosecond)
		if c := counts(picks(10)); c[1] != 1 {
			t.Fatalf("it is asked %d times after its rest of %v", c[1], rest)
		}
		l.failed(1, now, now)
		rest = min(2*rest, mostRest)
	}
	if rest != mostRest {
		t.Errorf("it rests for %v, want %v", rest, mostRest)
	}
	now = now.Add(rest)
	picks(3)
	l.answered(1)
	if c := counts(picks(30)); c != [3]int{10, 10, 10} {
		t.Errorf("after it answered nodes are asked %v times", c)
	}
	for at, after := range []time.Duration{3, 1, 2} {
		l.failed(at, now.Add(after), now.Add(after))
	}
	tried := make([]bool, 3)
	for _, want := range []int{1, 2, 0} {
		at := l.pick(now, tried)
		if at != want {
			t.Errorf("of nodes that all rest %d is asked, want %d", at, want)
		}
		tried[at] = true
	}
}

// testRegion makes a side of nodes at these addresses.
func testRegion(t *testing.T, timeout time.Duration, endpoints ...string) *Region {
	t.Helper()
	r, err := NewRegion("cn-a", client.Config{Endpoints: endpoints, AccessKeyID: "id", Secret: crypto.Secret(strings.Repeat("s", 32)), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// A node that is gone or hangs costs little: it is asked now and then, and every call is answered by the others.
func TestDeadNodeCostsLittle(t *testing.T) {
	c := newCloud(t, "cn-a", 2)
	var asked atomic.Int64
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := gone.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_ = conn.Close()
		}
	}()
	defer func() { _ = gone.Close(); <-done }()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1); <-release }))
	defer hangs.Close()
	defer close(release)
	for what, endpoint := range map[string]string{"gone": "http://" + gone.Addr().String(), "hangs": hangs.URL} {
		asked.Store(0)
		r := testRegion(t, 200*time.Millisecond, endpoint, c.servers[0].URL, c.servers[1].URL)
		began := time.Now()
		for range 400 {
			if err := r.Call(t.Context(), "DescribeKey", map[string]string{"KeyId": "alias/pay"}, nil); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		most := 2 + int64(time.Since(began)/firstRest) // HTTP may try a connection twice
		if n := asked.Load(); n == 0 || n > 2*most {
			t.Errorf("%s: the node was asked %d times in %v", what, n, time.Since(began))
		}
		if got := r.Traffic(); got.Calls != 400 || got.Unreached == 0 || got.Throttled != 0 || got.First != "r" {
			t.Errorf("%s: %+v", what, got)
		}
	}
}

// A region of which no node can answer is waited for; one that can never be reached as it was named is not.
func TestHopelessRegion(t *testing.T) {
	c := newCloud(t, "cn-a", 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.refuse = func(_ string, call int, _ map[string]string) (int, string) {
		if call == 5 { // both nodes were asked twice
			cancel()
		}
		return 503, "ServiceUnavailableTemporary"
	}
	r := testRegion(t, time.Minute, c.servers[0].URL, c.servers[1].URL)
	if err := r.Call(ctx, "DescribeKey", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a region that is down: %v", err)
	}
	if got := r.Traffic(); got.Throttled < 2 {
		t.Errorf("%+v", got)
	}
	tlsNode := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsNode.Close()
	if err := testRegion(t, time.Second, tlsNode.URL, strings.Replace(c.servers[0].URL, "http:", "https:", 1)).Call(t.Context(), "DescribeKey", nil, nil); err == nil {
		t.Error("nodes that nobody vouches for answered")
	}
}

// Every way of the API to say "later" is waited for.
func TestThrottling(t *testing.T) {
	for _, answer := range []struct {
		status int
		code   string
	}{{429, "Rejected.Throttling"}, {429, "Anything"}, {400, "Throttling.User"}, {503, "ServiceUnavailableTemporary"}, {503, "Rejected.Throttling"}} {
		c := newCloud(t, "cn-a", 1)
		c.refuse = func(_ string, call int, _ map[string]string) (int, string) {
			if call == 1 {
				return answer.status, answer.code
			}
			return 0, ""
		}
		r := testRegion(t, time.Second, c.servers[0].URL)
		if err := r.Call(t.Context(), "DescribeKey", map[string]string{"KeyId": "alias/pay"}, nil); err != nil {
			t.Errorf("%v: %v", answer, err)
		}
		if got := r.Traffic(); got.Throttled != 1 || got.Calls != 2 {
			t.Errorf("%v: %+v", answer, got)
		}
	}
}

// An answer that says to come later is no answer about the request, also when nobody can wait any more.
func TestNoTimeToComeLater(t *testing.T) {
	for _, answer := range []struct {
		status int
		code   string
	}{{400, "Throttling.User"}, {429, "Rejected.Throttling"}, {503, "ServiceUnavailableTemporary"}, {500, "InternalFailure"}} {
		c := newCloud(t, "cn-a", 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.refuse = func(string, int, map[string]string) (int, string) { cancel(); return answer.status, answer.code }
		err := testRegion(t, time.Minute, c.servers[0].URL).Call(ctx, "DescribeKey", nil, nil)
		if refused, rest := refusal(err); refused != nil || !errors.Is(rest, context.Canceled) {
			t.Errorf("%v: %v, %v", answer, refused, rest)
		}
	}
}
