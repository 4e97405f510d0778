package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/crypto"
	"meridian/store"
)

// faultyRegion fails every read in its own way.
type faultyRegion struct {
	noRegion
	read func() error
}

func (r faultyRegion) ReadWith(context.Context, cluster.ReadOptions, func(*store.View) error) error {
	return r.read()
}

// newFaultyFace makes a server whose reads fail, with its log and its metrics.
func newFaultyFace(t *testing.T, read func() error) (*Server, *bytes.Buffer, *prometheus.Registry) {
	t.Helper()
	ids, err := access.NewRoot("1", access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
	if err != nil {
		t.Fatal(err)
	}
	log, registry := new(bytes.Buffer), prometheus.NewRegistry()
	s, err := New(Config{
		Region: faultyRegion{read: read}, RegionID: "cn-test-1", Account: "1", NodeID: "n1", Identities: ids, Hosts: []string{faceHost},
		Now: func() time.Time { return faceNow }, Logger: slog.New(slog.NewTextHandler(log, nil)), Metrics: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, log, registry
}

func TestPanicBecomesInternalFailure(t *testing.T) {
	const canary = "canary-in-a-panic"
	for name, tc := range map[string]struct {
		panics func() error
		logged string
	}{
		"text":    {func() error { panic(canary) }, "string"},
		"error":   {func() error { panic(errors.New(canary)) }, "*errors.errorString"},
		"runtime": {func() error { var none []int; return errors.New(string(rune(none[len(canary)]))) }, "index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			s, log, _ := newFaultyFace(t, tc.panics)
			w, e := serve(t, s, signFace(faceParams("Plain", canary), faceSecret))
			if w.Code != http.StatusInternalServerError || e.Code != CodeInternalFailure || !strings.Contains(e.Message, e.RequestId) {
				t.Errorf("%d %+v", w.Code, e)
			}
			for _, want := range []string{e.RequestId, tc.logged, "ListKeys", "faultyRegion"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q: %s", want, log)
				}
			}
			if strings.Contains(log.String(), canary) {
				t.Errorf("the log holds what was in the request: %s", log)
			}
			// The server goes on.
			if _, e := serve(t, s, signFace(faceParams("Action", "None"), faceSecret)); e.Code != CodeInvalidActionNotFound {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestFaultIsLoggedAndNotTold(t *testing.T) {
	s, log, _ := newFaultyFace(t, func() error { return errors.New("bucket of keys is torn") })
	w, e := serve(t, s, signFace(faceParams(), faceSecret))
	if w.Code != http.StatusInternalServerError || e.Code != CodeInternalFailure || strings.Contains(w.Body.String(), "torn") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "torn") || !strings.Contains(log.String(), e.RequestId) {
		t.Errorf("log: %s", log)
	}
}

func TestAnswerHeaders(t *testing.T) {
	s, _, _ := newFaultyFace(t, func() error { return cluster.ErrUnavailable })
	id := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := make(map[string]bool)
	for range 100 {
		w, e := serve(t, s, signFace(faceParams(), faceSecret))
		h := w.Header()
		if !id.MatchString(e.RequestId) || seen[e.RequestId] || h.Get("x-acs-request-id") != e.RequestId {
			t.Fatalf("request id %q, header %q", e.RequestId, h.Get("x-acs-request-id"))
		}
		seen[e.RequestId] = true
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Meridian-Region") != "cn-test-1" || h.Get("X-Meridian-Node") != "n1" || h.Get("Retry-After") == "" {
			t.Fatalf("headers %v", h)
		}
		if e.HostId != faceHost {
			t.Fatalf("HostId %q", e.HostId)
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	s, _, _ := newFaultyFace(t, func() error { return cluster.ErrUnavailable })
	for _, method := range []string{"PUT", "HEAD", "DELETE", "OPTIONS", "get"} {
		r := httptest.NewRequest(method, "/", nil)
		if w, e := serve(t, s, r); w.Code != http.StatusForbidden || e.Code != CodeUnsupportedHTTPMethod {
			t.Errorf("%s: %d %+v", method, w.Code, e)
		}
	}
	for _, path := range []string{"/x", "//", "/index.html", "/%2F"} {
		if w, e := serve(t, s, httptest.NewRequest(http.MethodGet, path, nil)); w.Code != http.StatusNotFound || e.Code != CodeInvalidActionNotFound {
			t.Errorf("%s: %d %+v", path, w.Code, e)
		}
	}
}

// TestMetricLabels sends names that the caller made up: none becomes a label.
func TestMetricLabels(t *testing.T) {
	s, _, registry := newFaultyFace(t, func() error { return cluster.ErrUnavailable })
	const canary = "MadeUpByTheCaller"
	for _, r := range []*http.Request{
		signFace(faceParams("Action", canary), faceSecret), signFace(faceParams("Version", canary), faceSecret), signFace(faceParams("AccessKeyId", canary), faceSecret),
		signFace(faceParams(), faceSecret), signFace(faceParams(), "x"), httptest.NewRequest(canary, "/", nil),
	} {
		serve(t, s, r)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted, timed := make(map[string]float64), uint64(0)
	for _, family := range families {
		for _, m := range family.Metric {
			labels := ""
			for _, l := range m.Label {
				labels += l.GetValue() + " "
			}
			if strings.Contains(labels, canary) {
				t.Errorf("%s has label %s", family.GetName(), labels)
			}
			switch family.GetName() {
			case "meridian_api_requests_total":
				counted[labels] = m.Counter.GetValue()
			case "meridian_api_request_duration_seconds":
				timed += m.Histogram.GetSampleCount()
			case "meridian_api_requests_in_flight":
				if m.Gauge.GetValue() != 0 {
					t.Errorf("%v requests in flight", m.Gauge.GetValue())
				}
			}
		}
	}
	for labels, want := range map[string]float64{
		"ListKeys ServiceUnavailableTemporary ": 1, "unknown InvalidAction.NotFound ": 1, "unknown InvalidVersion ": 1, "unknown SignatureDoesNotMatch ": 1,
		"unknown InvalidAccessKeyId.NotFound ": 1, "unknown UnsupportedHTTPMethod ": 1,
	} {
		if counted[labels] != want {
			t.Errorf("%s counted %v times, want %v", labels, counted[labels], want)
		}
	}
	if timed != 6 {
		t.Errorf("%d requests timed, want 6", timed)
	}
}

func TestConfigReportsEveryMistake(t *testing.T) {
	_, err := New(Config{Limits: Limits{Plaintext: MaxPlaintext + 1, NoncesPerKey: 10, Nonces: 5, Keys: -1}})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, want := range []string{"no region", "region id", "account", "node id", "identities", "plaintext", "keys", "nonces"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}

// TestAliasNamesOutliveTheirRequest asks for two keys by aliases of one length in turn, through buffers that are used
// again: each name keeps leading to its own key.
func TestAliasNamesOutliveTheirRequest(t *testing.T) {
	h := newHarness(t, Limits{})
	keys := make(map[string]string)
	for _, alias := range []string{"alias/aa", "alias/bb", "alias/cc", "alias/dd"} {
		keys[alias] = h.newKey(t)
		h.ok(t, "CreateAlias", params{"AliasName": alias, "KeyId": keys[alias]})
	}
	for range 50 {
		for alias, key := range keys {
			if got := h.ok(t, "Encrypt", params{"KeyId": alias, "Plaintext": b64("x")}).text("KeyId"); got != key {
				t.Fatalf("%s led to %s, want %s", alias, got, key)
			}
		}
	}
}

// TestAllocations holds the path of a request to its budget.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const budget = 12
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	for action, p := range map[string]params{
		"Encrypt":         {"KeyId": key, "Plaintext": benchmarkPlaintext(4096)},
		"Decrypt":         {"CiphertextBlob": h.encrypt(t, key, strings.Repeat("x", 4096))},
		"GenerateDataKey": {"KeyId": key},
	} {
		for _, form := range []wire{{method: http.MethodGet}, {method: http.MethodPost, v3: true}, {method: http.MethodPost, xml: true}} {
			const runs = 200
			requests := make([]*http.Request, 0, runs+1)
			for range runs + 1 {
				requests = append(requests, h.request(form, action, p))
			}
			w := &discardWriter{header: make(http.Header)}
			next := 0
			if got := testing.AllocsPerRun(runs, func() {
				w.reset()
				h.server.ServeHTTP(w, requests[next])
				next++
			}); got > budget || w.status != http.StatusOK {
				t.Errorf("%s, %v: %v allocations, want at most %d; status %d", action, form, got, budget, w.status)
			}
		}
	}
}
