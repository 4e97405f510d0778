package api

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/cluster/api/client"
	"meridian/cluster/clustertest"
)

func TestConsistencyHeadersAreChecked(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	for _, test := range []struct {
		name, value string
		good        bool
	}{
		{HeaderConsistency, "linearizable", true},
		{HeaderConsistency, "strong", false},
		{HeaderConsistency, "", false},
		{HeaderMinIndex, "0", true},
		{HeaderMinIndex, "1", true},
		{HeaderMinIndex, "", false},
		{HeaderMinIndex, "-1", false},
		{HeaderMinIndex, "1.5", false},
		{HeaderMinIndex, "18446744073709551616", false},
	} {
		for _, w := range []wire{{method: http.MethodGet}, {method: http.MethodPost, v3: true}} {
			request := h.request(w, "DescribeKey", params{"KeyId": key})
			request.Header.Set(test.name, test.value)
			r := h.send(t, h.server, w, request)
			if test.good && r.status != http.StatusOK || !test.good && (r.code != CodeInvalidParameter || r.status != http.StatusBadRequest) {
				t.Errorf("%s: %q, %s: %d %s", test.name, test.value, w, r.status, r.raw)
			}
		}
	}
	request := h.request(wire{method: http.MethodGet}, "DescribeKey", params{"KeyId": key})
	request.Header[HeaderMinIndex] = []string{"1", "2"}
	if r := h.send(t, h.server, wire{}, request); r.code != CodeInvalidParameter {
		t.Errorf("two values: %s", r.raw)
	}
}

// Every answer says where it is from and how far that node is, errors too.
func TestEveryAnswerNamesItsIndex(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	good := h.request(wire{method: http.MethodGet}, "DescribeKey", params{"KeyId": key})
	unknown := h.request(wire{method: http.MethodGet}, "DescribeKey", params{"KeyId": "00000000-0000-4000-8000-000000000000"})
	forged := h.request(wire{method: http.MethodGet}, "DescribeKey", params{"KeyId": key})
	forged.URL.RawQuery += "&More=1"
	unsigned := newRequest(http.MethodGet, "Action=DescribeKey")
	write := h.request(wire{method: http.MethodGet}, "DisableKey", params{"KeyId": key})
	for name, request := range map[string]*http.Request{"good": good, "unknown key": unknown, "forged": forged, "unsigned": unsigned, "write": write} {
		r := h.send(t, h.server, wire{}, request)
		index, err := strconv.ParseUint(r.header.Get("X-Meridian-Index"), 10, 64)
		if err != nil || index == 0 || index > h.Applied() || r.header.Get("X-Meridian-Region") == "" || r.header.Get("X-Meridian-Node") == "" {
			t.Errorf("%s: %v", name, r.header)
		}
	}
}

// The client signs what it asks for in a way that the server takes.
func TestClientAsksForConsistency(t *testing.T) {
	_, _, servers := regionOfThree(t)
	web := httptest.NewServer(servers[1])
	defer web.Close()
	for _, signature := range []client.Signature{client.V3, client.V1, client.V1SHA256} {
		c, err := client.New(client.Config{
			Endpoints: []string{web.URL}, AccessKeyID: testAccessKey, Secret: []byte(testSecret), Signature: signature,
			Linearizable: true, MinIndex: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Call(t.Context(), "ListKeys", nil, nil)
		if err != nil || resp.Index == 0 {
			t.Errorf("signature %d: %+v, %v", signature, resp, err)
		}
		c.Close()
	}
}

// regionOfThree is the API on every node of a real region.
func regionOfThree(t *testing.T) (*harness, *clustertest.Region, []*Server) {
	t.Helper()
	region := clustertest.New(t, clustertest.Options{Region: testRegionID, Configure: func(_ int, c *cluster.Config) {
		c.Timing.MinIndexWait, c.Timing.Hold = 200*time.Millisecond, 2*time.Second
		c.Timing.Heartbeat, c.Timing.LeaderLease = time.Second, 500*time.Millisecond // for busy machines
	}})
	h := &harness{clock: new(testClock)}
	h.clock.at.Store(time.Now().UnixNano())
	var servers []*Server
	for i := range region.Len() {
		ids, err := access.NewRoot(clustertest.Account, access.Key{ID: testAccessKey, Secret: []byte(testSecret)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{
			Region: region.Node(i), RegionID: testRegionID, Account: clustertest.Account, NodeID: region.Config(i).NodeID,
			Identities: ids, Hosts: []string{testHost}, Now: h.clock.now,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		servers = append(servers, s)
	}
	return h, region, servers
}

func TestConsistencyOnThreeNodes(t *testing.T) {
	h, region, servers := regionOfThree(t)
	w := wire{method: http.MethodPost, v3: true}
	ask := func(at int, action string, p params, header ...string) reply {
		t.Helper()
		request := h.request(w, action, p)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		return h.send(t, servers[at], w, request)
	}
	created := ask(0, "CreateKey", nil)
	key := created.text("KeyMetadata.KeyId")
	for i := range servers {
		disabled := ask(i, "DisableKey", params{"KeyId": key})
		index := disabled.header.Get("X-Meridian-Index")
		if disabled.status != http.StatusOK || index == "" {
			t.Fatalf("%d %s, index %q", disabled.status, disabled.raw, index)
		}
		for j := range servers {
			for _, header := range [][]string{
				nil,
				{HeaderMinIndex, index},
				{HeaderConsistency, ConsistencyLinearizable},
				{HeaderConsistency, ConsistencyLinearizable, HeaderMinIndex, index},
			} {
				r := ask(j, "DescribeKey", params{"KeyId": key}, header...)
				at, _ := strconv.ParseUint(r.header.Get("X-Meridian-Index"), 10, 64)
				least, _ := strconv.ParseUint(index, 10, 64)
				if r.text("KeyMetadata.KeyState") != "Disabled" || at < least {
					t.Errorf("disabled on %d at %s, read on %d with %v: at %d, %s", i, index, j, header, at, r.raw)
				}
				if r := ask(j, "Encrypt", params{"KeyId": key, "Plaintext": b64("x")}, header...); r.code != CodeRejectedDisabled {
					t.Errorf("encrypted on %d with %v: %s", j, header, r.raw)
				}
			}
		}
		if r := ask(i, "EnableKey", params{"KeyId": key}); r.status != http.StatusOK {
			t.Fatal(r.raw)
		}
	}

	far := strconv.FormatUint(region.Node(0).Applied()+1_000_000, 10)
	r := ask(0, "DescribeKey", params{"KeyId": key}, HeaderMinIndex, far)
	if r.status != http.StatusServiceUnavailable || r.code != CodeServiceUnavailableTemporary || r.header.Get("Retry-After") == "" || r.header.Get("X-Meridian-Index") == "" {
		t.Errorf("an index that is far off: %d %s %v", r.status, r.raw, r.header)
	}

	for i := 1; i < region.Len(); i++ {
		region.Kill(i)
	}
	r = ask(0, "DescribeKey", params{"KeyId": key}, HeaderConsistency, ConsistencyLinearizable)
	if r.status != http.StatusServiceUnavailable || r.code != CodeServiceUnavailableTemporary || r.header.Get("Retry-After") == "" {
		t.Errorf("linearizable without a majority: %d %s", r.status, r.raw)
	}
}
