package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/access"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// vector is one row of signature-vectors.json.
type vector struct {
	ID        string      `json:"id"`
	Scheme    string      `json:"scheme"`
	Verdict   string      `json:"verdict"`
	Code      string      `json:"code"`
	HTTP      int         `json:"http"`
	After     string      `json:"after"`
	Now       time.Time   `json:"now"`
	KeyID     string      `json:"access_key_id"`
	KeySecret string      `json:"access_key_secret"`
	Method    string      `json:"method"`
	Target    string      `json:"target"`
	Headers   [][2]string `json:"headers"`
	Body      string      `json:"body"`
	Server    *struct {
		StringToSign string `json:"string_to_sign"`
		Canonical    string `json:"canonical_request"`
		Signature    string `json:"signature"`
	} `json:"server"`
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/signature-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) != 142 {
		t.Fatalf("%d vectors, want 142", len(file.Vectors))
	}
	return file.Vectors
}

// rawRequest reads a request from its bytes as a server does.
func rawRequest(t testing.TB, method, target string, headers [][2]string, body string) *http.Request {
	t.Helper()
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\n", method, target)
	counted := false
	for _, h := range headers {
		fmt.Fprintf(&raw, "%s: %s\r\n", h[0], h[1])
		counted = counted || strings.EqualFold(h[0], "Content-Length")
	}
	if !counted {
		fmt.Fprintf(&raw, "Content-Length: %d\r\n", len(body))
	}
	raw.WriteString("\r\n" + body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String())))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (v vector) request(t testing.TB) *http.Request {
	return rawRequest(t, v.Method, v.Target, v.Headers, v.Body)
}

// noRegion is a region that cannot answer: what gets as far as its action is told so.
type noRegion struct{}

func (noRegion) ReadWith(context.Context, cluster.ReadOptions, func(*store.View) error) error {
	return cluster.ErrUnavailable
}
func (noRegion) Applied() uint64 { return 7 }
func (noRegion) Propose(context.Context, *storepb.Command) (*storepb.Result, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) Cipher(*store.View, *store.Key, crypto.VersionID) (crypto.Cipher, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) PrivateKey(*store.View, *store.Key, crypto.VersionID) (*crypto.PrivateKey, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) TransportKey(*store.View, uint32) (*crypto.TransportKey, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) NewTransportKey(uint32) (*storepb.AddTransportKey, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) Wrap(crypto.Binding, []byte) ([]byte, error) { return nil, cluster.ErrUnavailable }
func (noRegion) Unwrap(crypto.Binding, []byte) (crypto.Secret, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) SelfCheck(crypto.Binding, []byte) error { return cluster.ErrUnavailable }
func (noRegion) Fingerprint(crypto.Binding, []byte) ([]byte, error) {
	return nil, cluster.ErrUnavailable
}
func (noRegion) SameMaterial(crypto.Binding, []byte, []byte) (bool, error) {
	return false, cluster.ErrUnavailable
}

// newFace makes a server that nobody stands behind.
func newFace(t testing.TB, now time.Time, hosts []string, keys ...access.Key) *Server {
	t.Helper()
	ids, err := access.NewRoot("100000000000001", keys...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Region: noRegion{}, RegionID: "cn-test-1", Account: "100000000000001", NodeID: "n1", Identities: ids, Hosts: hosts,
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// errorAnswer is an error as its caller reads it.
type errorAnswer struct{ RequestId, HostId, Code, Message, Recommend string }

func serve(t testing.TB, s *Server, r *http.Request) (*httptest.ResponseRecorder, errorAnswer) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var e errorAnswer
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("answer %q: %v", w.Body, err)
		}
	} else if _, rest, ok := strings.Cut(w.Body.String(), "<Code>"); ok {
		e.Code, _, _ = strings.Cut(rest, "</Code>")
	}
	return w, e
}

// authenticationCodes are the codes with which a request is refused before its action is looked at.
var authenticationCodes = map[string]bool{
	CodeUnsupportedHTTPMethod: true, CodeParseRequestParameterException: true, CodeMissingParameter: true, CodeIllegalTimestamp: true,
	CodeIncompleteSignature: true, CodeInvalidSignatureMethod: true, CodeInvalidAccessKeyIdNotFound: true, CodeForbiddenAccessKey: true,
	CodeSignatureDoesNotMatch: true, CodeInvalidTimeStampFormat: true, CodeInvalidTimeStampExpired: true, CodeSignatureNonceUsed: true,
	CodeInvalidSecurityToken: true, CodeInternalFailure: true, CodeRejectedThrottling: true,
}

func TestSignatureVectors(t *testing.T) {
	vectors := readVectors(t)
	byID := make(map[string]vector)
	for _, v := range vectors {
		byID[v.ID] = v
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			s := newFace(t, v.Now, []string{"kms.example.test"}, access.Key{ID: v.KeyID, Secret: crypto.Secret(v.KeySecret)})
			if v.After != "" {
				if _, e := serve(t, s, byID[v.After].request(t)); authenticationCodes[e.Code] {
					t.Fatalf("%s before it: %+v", v.After, e)
				}
			}
			w, e := serve(t, s, v.request(t))
			if v.Verdict == "accept" {
				// An action may miss a parameter; that comes after authentication.
				if authenticationCodes[e.Code] && !(e.Code == CodeMissingParameter && !commonParameter(e.Message)) {
					t.Errorf("refused: %+v", e)
				}
				return
			}
			if e.Code != v.Code || w.Code != v.HTTP {
				t.Errorf("%s %d, want %s %d: %s", e.Code, w.Code, v.Code, v.HTTP, e.Message)
			}
			if v.Code == CodeSignatureDoesNotMatch {
				checkServerText(t, v, e.Message)
			}
		})
	}
}

func commonParameter(message string) bool {
	for _, name := range []string{"Action", "Version", "AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce", "x-acs-"} {
		if strings.Contains(message, "Parameter "+name) {
			return true
		}
	}
	return false
}

// checkServerText checks that the message ends in the text that the server signed, and never tells the signature.
func checkServerText(t *testing.T, v vector, message string) {
	t.Helper()
	text, ok := "", false
	if _, after, found := strings.Cut(message, "server string to sign is:"); found {
		text, ok = after, true
	}
	if v.ID == "v3-x-body-hash-of-nothing" || v.ID == "v3-x-unsigned-payload" {
		if ok {
			t.Errorf("the signature fits and the body does not, yet the text is told: %s", message)
		}
		return
	}
	if text != v.Server.StringToSign {
		t.Errorf("server text\n%q, want\n%q", text, v.Server.StringToSign)
	}
	if strings.Contains(message, v.Server.Signature) {
		t.Error("the message tells the expected signature")
	}
}

// TestSignatureTexts checks the texts themselves, of accepted requests too.
func TestSignatureTexts(t *testing.T) {
	for _, v := range readVectors(t) {
		if v.Server == nil {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			canonical, text := signedTexts(t, v.request(t))
			if text != v.Server.StringToSign {
				t.Errorf("string to sign\n%q, want\n%q", text, v.Server.StringToSign)
			}
			if v.Scheme == "V3" && canonical != v.Server.Canonical {
				t.Errorf("canonical request\n%q, want\n%q", canonical, v.Server.Canonical)
			}
		})
	}
}

// signedTexts returns the canonical request (V3) and the string to sign that the face makes of a request.
func signedTexts(t testing.TB, r *http.Request) (canonical, text string) {
	t.Helper()
	var pool exchangePool
	x := pool.take()
	defer pool.release(x)
	if err := x.parse(r); err != nil {
		t.Fatal(err)
	}
	if err := x.readClaim(r); err != nil {
		t.Fatal(err)
	}
	if x.claim.v3 {
		x.signer.begin(nil)
		x.writeCanonical(r)
		canonical = string(x.signer.text)
		x.signer.digest.Reset()
		x.signer.begin(x.signer.digest)
		x.writeCanonical(r)
	}
	return canonical, x.textToSign(r)
}
