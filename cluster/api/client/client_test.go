package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meridian/crypto"
)

const testSecret = "secretOfTheClientTest"

func newClient(t *testing.T, change func(*Config), endpoints ...string) *Client {
	t.Helper()
	cfg := Config{Endpoints: endpoints, AccessKeyID: "ak", Secret: crypto.Secret(testSecret), Timeout: 10 * time.Second}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// node is a server that answers with a status, counting requests and keeping their nonces.
type node struct {
	*httptest.Server
	asked  atomic.Int32
	nonces chan string
}

func newNode(t *testing.T, answer http.HandlerFunc) *node {
	t.Helper()
	n := &node{nonces: make(chan string, 100)}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.asked.Add(1)
		n.nonces <- r.Header.Get("x-acs-signature-nonce")
		answer(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Meridian-Region", "r1")
		w.Header().Set("X-Meridian-Node", "n1")
		w.Header().Set("X-Meridian-Index", "42")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// breaks closes the connection once the request is there.
func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// deadEndpoint is an address that refuses connections.
func deadEndpoint(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

const (
	fine        = `{"KeyId":"k","RequestId":"11111111-2222-4333-8444-555555555555"}`
	unavailable = `{"Code":"ServiceUnavailableTemporary","Message":"no leader","RequestId":"r-503"}`
	notFound    = `{"Code":"Forbidden.KeyNotFound","Message":"There is no key x.","Recommend":"look","HostId":"h","RequestId":"r-404"}`
)

func TestCall(t *testing.T) {
	n := newNode(t, says(200, fine))
	c := newClient(t, nil, n.URL)
	var out struct{ KeyId string }
	resp, err := c.Call(t.Context(), "Encrypt", map[string]string{"KeyId": "k"}, &out)
	if err != nil || out.KeyId != "k" || resp.RequestID != "11111111-2222-4333-8444-555555555555" || resp.Region != "r1" || resp.Node != "n1" || resp.Index != 42 || resp.Endpoint != n.URL {
		t.Errorf("%+v %+v %v", resp, out, err)
	}
	if id, err := c.Do(t.Context(), "Encrypt", nil, nil); err != nil || id != resp.RequestID {
		t.Errorf("%s %v", id, err)
	}
}

// TestFailover says what becomes of a call for every way that the first endpoint can fail.
func TestFailover(t *testing.T) {
	for _, tc := range []struct {
		name     string
		first    http.HandlerFunc // nil: refuses connections
		action   string
		wantNext bool
	}{
		{"dead, crypto", nil, "Encrypt", true},
		{"dead, read", nil, "ListKeys", true},
		{"dead, write", nil, "CreateKey", true},
		{"503, crypto", says(503, unavailable), "Decrypt", true},
		{"503, write", says(503, unavailable), "CreateKey", true},
		{"breaks, crypto", breaks, "GenerateDataKey", true},
		{"breaks, read", breaks, "DescribeKey", true},
		{"breaks, write", breaks, "CreateKey", false},
		{"404, read", says(404, notFound), "DescribeKey", false},
		{"500, read", says(500, `{"Code":"InternalFailure","Message":"x"}`), "DescribeKey", false},
		{"no JSON, read", says(200, "<html>"), "DescribeKey", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			second := newNode(t, says(200, fine))
			endpoints := []string{deadEndpoint(t), second.URL}
			var first *node
			if tc.first != nil {
				first = newNode(t, tc.first)
				endpoints[0] = first.URL
			}
			c := newClient(t, nil, endpoints...)
			resp, err := c.Call(t.Context(), tc.action, nil, nil)
			if asked := second.asked.Load(); (asked == 1) != tc.wantNext || (err == nil) != tc.wantNext {
				t.Fatalf("second endpoint asked %d times, %v", asked, err)
			}
			if first != nil && first.asked.Load() != 1 {
				t.Errorf("first endpoint asked %d times", first.asked.Load())
			}
			if !tc.wantNext {
				if unknown := errors.Is(err, ErrOutcomeUnknown); unknown != (tc.action == "CreateKey") {
					t.Errorf("%v", err)
				}
				return
			}
			if resp.Endpoint != second.URL {
				t.Errorf("answered by %s", resp.Endpoint)
			}
			if first != nil && <-first.nonces == <-second.nonces {
				t.Error("both requests had one nonce")
			}
			// The next call begins with the endpoint that answered.
			if _, err := c.Call(t.Context(), tc.action, nil, nil); err != nil || second.asked.Load() != 2 || first != nil && first.asked.Load() != 1 {
				t.Errorf("second call: %v", err)
			}
		})
	}
}

func TestNoEndpointLeft(t *testing.T) {
	n := newNode(t, says(503, unavailable))
	c := newClient(t, nil, deadEndpoint(t), n.URL)
	_, err := c.Call(t.Context(), "ListKeys", nil, nil)
	var answer *Error
	if !errors.As(err, &answer) || answer.Code != "ServiceUnavailableTemporary" || answer.Status != 503 || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}

func TestErrorAnswer(t *testing.T) {
	n := newNode(t, says(404, notFound))
	_, err := newClient(t, nil, n.URL).Do(t.Context(), "DescribeKey", nil, nil)
	var answer *Error
	if !errors.As(err, &answer) {
		t.Fatal(err)
	}
	want := Error{Code: "Forbidden.KeyNotFound", Message: "There is no key x.", Recommend: "look", RequestID: "r-404", HostID: "h", Status: 404, Endpoint: n.URL}
	if *answer != want {
		t.Errorf("%+v, want %+v", *answer, want)
	}
	n = newNode(t, says(502, "bad gateway"))
	if _, err := newClient(t, nil, n.URL).Do(t.Context(), "DescribeKey", nil, nil); !errors.As(err, &answer) || answer.Status != 502 {
		t.Errorf("%v", err)
	}
}

func TestSignatureRefusalCarriesBothTexts(t *testing.T) {
	n := newNode(t, says(400, `{"Code":"SignatureDoesNotMatch","Message":"Wrong. server string to sign is:POST&secret-plaintext"}`))
	_, err := newClient(t, func(c *Config) { c.Signature = V1 }, n.URL).Do(t.Context(), "Encrypt", map[string]string{"Plaintext": "x"}, nil)
	var answer *Error
	if !errors.As(err, &answer) {
		t.Fatal(err)
	}
	if text, ok := answer.ServerText(); !ok || text != "POST&secret-plaintext" {
		t.Errorf("server text %q", text)
	}
	if !strings.HasPrefix(answer.Signed, "POST&%2F&AccessKeyId%3Dak") || strings.Contains(err.Error(), "secret-plaintext") {
		t.Errorf("%q, %v", answer.Signed, err)
	}
}

func TestCanceledCallIsNotRepeated(t *testing.T) {
	second := newNode(t, says(200, fine))
	ctx, cancel := context.WithCancel(t.Context())
	first := newNode(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := newClient(t, nil, first.URL, second.URL).Call(ctx, "ListKeys", nil, nil); !errors.Is(err, context.Canceled) || second.asked.Load() != 0 {
		t.Errorf("%v, second asked %d times", err, second.asked.Load())
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(says(200, fine))
	defer server.Close()
	if _, err := newClient(t, nil, server.URL).Do(t.Context(), "ListKeys", nil, nil); err == nil {
		t.Error("an unknown CA was trusted")
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if _, err := newClient(t, func(c *Config) { c.CA = ca }, server.URL).Do(t.Context(), "ListKeys", nil, nil); err != nil {
		t.Error(err)
	}
}

func TestConfigReportsEveryMistake(t *testing.T) {
	_, err := New(Config{Endpoints: []string{"kms.test", "https://kms.test/x", "ftp://kms.test", "https://u:p@kms.test"}, CA: []byte("no"), Signature: 9})
	for _, want := range []string{`"kms.test"`, "kms.test/x", "ftp", "u:xxxxx", "access key id", "secret", "CA", "scheme 9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
	if text := fmt.Sprintf("%+v", Config{Secret: crypto.Secret(testSecret)}); strings.Contains(text, testSecret) {
		t.Errorf("a configuration prints its secret: %s", text)
	}
}

// TestFIPSOnly makes clients in a process that forbids SHA-1: the scheme that needs it is an error and not a panic.
func TestFIPSOnly(t *testing.T) {
	if os.Getenv("MERIDIAN_TEST_FIPS") == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestFIPSOnly$", "-test.v")
		child.Env = append(os.Environ(), "GODEBUG=fips140=only", "MERIDIAN_TEST_FIPS=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, scheme := range []Signature{V1, V1SHA256, V3} {
		c, err := New(Config{
			Endpoints: []string{"http://127.0.0.1:1"}, AccessKeyID: "ak", Secret: crypto.Secret(testSecret), Signature: scheme,
		})
		switch {
		case scheme == V1:
			if err == nil || !strings.Contains(err.Error(), "HMAC-SHA1") {
				t.Errorf("V1: %v", err)
			}
		case err != nil:
			t.Errorf("scheme %d: %v", scheme, err)
		default:
			c.sign(c.endpoints[0], &call{action: "ListKeys", version: c.cfg.Version, params: nil})
			c.Close()
		}
	}
}

func TestExplain(t *testing.T) {
	for signature, want := range map[Signature][]string{
		V3: {"POST / HTTP/1.1\nHost: kms.test:1\n", "authorization: ACS3-HMAC-SHA256 Credential=ak,", "\nKeyId=a%2Fb\n", "# Canonical request\nPOST\n/\n\ncontent-type:", "# String to sign\nACS3-HMAC-SHA256\n"},
		V1: {"POST / HTTP/1.1\nHost: kms.test:1\n", "&KeyId=a%2Fb&", "&Signature=", "# String to sign\nPOST&%2F&AccessKeyId%3Dak%26Action%3DEncrypt"},
	} {
		text, err := newClient(t, func(c *Config) { c.Signature = signature }, "http://kms.test:1").Explain("Encrypt", map[string]string{"KeyId": "a/b"})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%q is not in\n%s", w, text)
			}
		}
		if strings.Contains(text, testSecret) {
			t.Error("the secret is told")
		}
	}
}

// TestSignaturesAgainstVectors signs the accepted vectors anew and compares texts and signatures.
func TestSignaturesAgainstVectors(t *testing.T) {
	text, err := os.ReadFile("../testdata/signature-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			ID, Scheme, Verdict, Method, Target, Body string
			KeyID                                     string `json:"access_key_id"`
			KeySecret                                 string `json:"access_key_secret"`
			Given                                     string `json:"given_signature"`
			Headers                                   [][2]string
			Server                                    struct {
				StringToSign string `json:"string_to_sign"`
				Canonical    string `json:"canonical_request"`
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, v := range file.Vectors {
		if v.Verdict != "accept" {
			continue
		}
		checked++
		_, rawQuery, _ := strings.Cut(v.Target, "?")
		secret := []byte(v.KeySecret)
		if v.Scheme == "V1" {
			params := decodeVector(t, rawQuery+"&"+v.Body)
			newHash := hashOf(params["SignatureMethod"])
			delete(params, "Signature")
			got := textV1(v.Method, params)
			if signature := macBase64(newHash, append(slices.Clone(secret), '&'), got); got != v.Server.StringToSign || signature != v.Given {
				t.Errorf("%s: %q, %s", v.ID, got, signature)
			}
			continue
		}
		headers, bodyHash := signedOfVector(t, v.Headers)
		canonical, _ := canonicalV3(v.Method, decodeVector(t, rawQuery), headers, bodyHash)
		got := textV3(canonical)
		if signature := macHex(secret, got); canonical != v.Server.Canonical || got != v.Server.StringToSign || !strings.EqualFold(signature, v.Given) {
			t.Errorf("%s: %q, %s", v.ID, canonical, signature)
		}
	}
	if checked != 48 {
		t.Errorf("%d vectors checked, want 48", checked)
	}
}

// The headers that ask for a fresher answer are sent, and V3 signs them.
func TestFresherAnswersAreAskedFor(t *testing.T) {
	headers := make(chan http.Header, 10)
	n := newNode(t, func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		says(200, fine)(w, r)
	})
	for _, signature := range []Signature{V3, V1} {
		c := newClient(t, func(cfg *Config) { cfg.Signature, cfg.Linearizable, cfg.MinIndex = signature, true, 42 }, n.URL)
		if _, err := c.Do(t.Context(), "DescribeKey", nil, nil); err != nil {
			t.Fatal(err)
		}
		h := <-headers
		if h.Get("X-Meridian-Consistency") != "linearizable" || h.Get("X-Meridian-Min-Index") != "42" {
			t.Errorf("signature %d: %v", signature, h)
		}
		if signature == V3 && !strings.Contains(h.Get("Authorization"), "x-meridian-consistency;x-meridian-min-index") {
			t.Errorf("not signed: %s", h.Get("Authorization"))
		}
	}
	if _, err := newClient(t, nil, n.URL).Do(t.Context(), "DescribeKey", nil, nil); err != nil {
		t.Fatal(err)
	}
	if h := <-headers; h.Get("X-Meridian-Consistency") != "" || h.Get("X-Meridian-Min-Index") != "" {
		t.Errorf("not asked for: %v", h)
	}
}
