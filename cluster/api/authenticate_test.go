package api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"meridian/cluster/access"
	"meridian/crypto"
)

const (
	faceHost   = "kms.face.test"
	faceKey    = "faceAccessKey"
	faceSecret = "faceSecret000000000000001"
)

var faceNow = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// faceParams are the parameters of a whole V1 request.
func faceParams(changes ...string) params {
	p := params{
		"Action": "ListKeys", "Version": KMSVersion, "AccessKeyId": faceKey, "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0",
		"SignatureNonce": newNonce(), "Timestamp": faceNow.Format(timeLayout),
	}
	return with(p, changes...)
}

// signFace signs a GET with V1.
func signFace(p params, secret string) *http.Request {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte("GET&%2F&" + naiveEncode(query(p))))
	r := httptest.NewRequest(http.MethodGet, "/?"+query(with(p, "Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))), nil)
	r.Host = faceHost
	return r
}

func TestAuthenticationRules(t *testing.T) {
	s := newFace(t, faceNow, []string{faceHost},
		access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)},
		access.Key{ID: "inactive", Secret: crypto.Secret(faceSecret), Inactive: true},
		access.Key{ID: "onlyV3", Secret: crypto.Secret(faceSecret), MinSignature: access.V3})
	const passed = CodeServiceUnavailableTemporary // what an authenticated request gets from a region that cannot answer
	for _, tc := range []struct {
		name    string
		changes []string
		secret  string
		code    string
		says    string
	}{
		{"as it should be", nil, faceSecret, passed, ""},
		{"inactive key", []string{"AccessKeyId", "inactive"}, faceSecret, CodeForbiddenAccessKey, "inactive"},
		{"inactive key, wrong secret", []string{"AccessKeyId", "inactive"}, "x", CodeSignatureDoesNotMatch, ""},
		{"key that wants V3", []string{"AccessKeyId", "onlyV3"}, faceSecret, CodeInvalidSignatureMethod, "V3"},
		{"key that wants V3, wrong secret", []string{"AccessKeyId", "onlyV3"}, "x", CodeSignatureDoesNotMatch, ""},
		{"unknown key", []string{"AccessKeyId", "nobody"}, faceSecret, CodeInvalidAccessKeyIdNotFound, "nobody"},
		{"security token", []string{"SecurityToken", "x"}, faceSecret, CodeInvalidSecurityToken, ""},
		{"empty security token", []string{"SecurityToken", ""}, faceSecret, passed, ""},
		{"nonce of 128 bytes", []string{"SignatureNonce", strings.Repeat("n", 128)}, faceSecret, passed, ""},
		{"nonce of 129 bytes", []string{"SignatureNonce", strings.Repeat("n", 129)}, faceSecret, CodeInvalidParameter, "SignatureNonce"},
		{"method in other case", []string{"SignatureMethod", "hmac-sha1"}, faceSecret, CodeInvalidSignatureMethod, "HMAC-SHA256"},
		{"format", []string{"Format", "YAML"}, faceSecret, CodeInvalidParameterFormat, ""},
		{"format, wrong secret", []string{"Format", "YAML"}, "x", CodeSignatureDoesNotMatch, ""},
		{"format in other case", []string{"Format", "jSoN"}, faceSecret, passed, ""},
		{"version", []string{"Version", "2010-01-01"}, faceSecret, CodeInvalidVersion, "2010-01-01"},
		{"action", []string{"Action", "listKeys"}, faceSecret, CodeInvalidActionNotFound, "listKeys"},
		{"action, wrong time", []string{"Action", "listKeys", "Timestamp", "now"}, faceSecret, CodeInvalidTimeStampFormat, "Timestamp"},
		{"leap second", []string{"Timestamp", "2026-11-24T07:59:60Z"}, faceSecret, CodeInvalidTimeStampFormat, "Timestamp"},
		{"empty Action", []string{"Action", ""}, faceSecret, CodeMissingParameter, "Action"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, e := serve(t, s, signFace(faceParams(tc.changes...), tc.secret))
			if e.Code != tc.code || !strings.Contains(e.Message, tc.says) {
				t.Errorf("%d %+v, want %s with %q", w.Code, e, tc.code, tc.says)
			}
		})
	}
}

// TestFormatOfRefusals asks for XML: every refusal comes in it, whenever the parameter could be read.
func TestFormatOfRefusals(t *testing.T) {
	s := newFace(t, faceNow, []string{faceHost}, access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
	for _, format := range []string{"xml", "XML"} {
		for name, r := range map[string]*http.Request{
			CodeSignatureDoesNotMatch:          signFace(faceParams("Format", format), "x"),
			CodeInvalidActionNotFound:          signFace(faceParams("Format", format, "Action", "None"), faceSecret),
			CodeParseRequestParameterException: httptest.NewRequest(http.MethodGet, "/?Format="+format+"&a=%", nil),
		} {
			w, e := serve(t, s, r)
			if e.Code != name || w.Header().Get("Content-Type") != "text/xml;charset=utf-8" || !strings.HasPrefix(w.Body.String(), xmlProlog+"<Error><RequestId>") {
				t.Errorf("%s: %s", name, w.Body)
			}
		}
	}
	w, e := serve(t, s, signFace(faceParams("Format", "YAML"), faceSecret))
	if e.Code != CodeInvalidParameterFormat || w.Header().Get("Content-Type") != "application/json;charset=utf-8" {
		t.Errorf("%s", w.Body)
	}
}

func TestHosts(t *testing.T) {
	set, err := newHostSet([]string{"kms.example.test", "Balancer.Example.Test", "10.0.0.1", "[2001:db8::1]", "::ffff:10.0.0.2"})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"kms.example.test": true, "kms.example.test:7101": true, "KMS.Example.Test:1": true, "kms.example.test.": true, "balancer.example.test": true,
		"10.0.0.1": true, "10.0.0.1:80": true, "[2001:db8::1]": true, "[2001:db8::1]:443": true, "[2001:0db8:0::1]:443": true, "10.0.0.2:80": true,
		"": false, ":80": false, "other.test": false, "example.test": false, "x.kms.example.test": false, "10.0.0.3": false, "[2001:db8::2]": false,
		"kms.example.test:7101:7101x": true, "[kms.example.test": false, "kms.example.test@evil.test": false,
	} {
		if got := set.ours(&http.Request{Host: host}); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	for _, bad := range []string{"", "kms.example.test:7101", "http://kms", "a b"} {
		if _, err := newHostSet([]string{bad}); err == nil {
			t.Errorf("%q was taken as a name", bad)
		}
	}
}

// TestOwnAddressIsAHost calls a server by the address that it listens on, which is not configured.
func TestOwnAddressIsAHost(t *testing.T) {
	s := newFace(t, faceNow, nil, access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
	server := httptest.NewServer(s)
	defer server.Close()
	for host, status := range map[string]int{server.Listener.Addr().String(): http.StatusServiceUnavailable, "127.0.0.2:80": http.StatusBadRequest, "localhost": http.StatusBadRequest} {
		signed := signFace(faceParams(), faceSecret)
		r, err := http.NewRequest(http.MethodGet, server.URL+signed.URL.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("Host %s: %s, want %d", host, answer.Status, status)
		}
	}
}

// TestReplayIsRefusedEverywhere sends one request twice to two nodes: each takes it once.
func TestReplayIsRefusedEverywhere(t *testing.T) {
	p := faceParams()
	for range 2 {
		s := newFace(t, faceNow, []string{faceHost}, access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
		for _, want := range []string{CodeServiceUnavailableTemporary, CodeSignatureNonceUsed} {
			if _, e := serve(t, s, signFace(p, faceSecret)); e.Code != want {
				t.Errorf("%+v, want %s", e, want)
			}
		}
	}
}

// TestRefusedRequestKeepsItsNonce fails before step 7; the nonce is still fresh then.
func TestRefusedRequestKeepsItsNonce(t *testing.T) {
	s := newFace(t, faceNow, []string{faceHost}, access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
	p := faceParams()
	for _, r := range []*http.Request{signFace(p, "wrong"), signFace(with(p, "Timestamp", "2026-11-24T09:00:00Z"), faceSecret)} {
		if _, e := serve(t, s, r); e.Code != CodeSignatureDoesNotMatch && e.Code != CodeInvalidTimeStampExpired {
			t.Errorf("%+v", e)
		}
	}
	if _, e := serve(t, s, signFace(p, faceSecret)); e.Code != CodeServiceUnavailableTemporary {
		t.Errorf("%+v", e)
	}
}

func TestParseAuthorization(t *testing.T) {
	for header, want := range map[string]string{
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b;c,Signature=d":    "",
		"ACS3-HMAC-SHA256 Credential=a, SignedHeaders=b;c , Signature=d": "",
		"ACS3-HMAC-SHA256 Signature=d,Credential=a,SignedHeaders=b;c":    "",
		"ACS3-HMAC-SHA256": "no Credential",
		"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=b":  "no Signature",
		"ACS3-HMAC-SHA256 Credential=a,Signature=d":      "no SignedHeaders",
		"ACS3-HMAC-SHA256 Credential=,SignedHeaders=b":   "no Credential",
		"ACS3-HMAC-SHA256 Credential=a,Credential=a":     "Credential twice",
		"ACS3-HMAC-SHA256 Credential=a,Other=b":          "not Credential",
		"ACS3-HMAC-SHA256 Credential=a,,SignedHeaders=b": "not Credential",
	} {
		var c claim
		algorithm, reason := c.parseAuthorization(header)
		if algorithm != v3Algorithm || (reason == "") != (want == "") || !strings.Contains(reason, want) {
			t.Errorf("%q: %q %q, want %q", header, algorithm, reason, want)
		}
		if want == "" && (c.accessKeyID != "a" || c.signed != "b;c" || c.signature != "d") {
			t.Errorf("%q: %+v", header, c)
		}
	}
}

// FuzzAuthorization sends any Authorization and any x-acs- header: the answer is a refusal and never a fault.
func FuzzAuthorization(f *testing.F) {
	f.Add("ACS3-HMAC-SHA256 Credential=faceAccessKey,SignedHeaders=host;x-acs-action,Signature=00", "ListKeys")
	f.Add("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=;;host;;,Signature=zz", "")
	f.Add("ACS3-", "x")
	f.Add("ACS3-HMAC-SHA256 Credential=faceAccessKey,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature="+strings.Repeat("0", 64), "ListKeys")
	s := newFace(f, faceNow, []string{faceHost}, access.Key{ID: faceKey, Secret: crypto.Secret(faceSecret)})
	f.Fuzz(func(t *testing.T, authorization, action string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = faceHost
		r.Header = http.Header{
			"Authorization": {authorization}, "X-Acs-Action": {action}, "X-Acs-Version": {KMSVersion}, "X-Acs-Date": {faceNow.Format(timeLayout)},
			"X-Acs-Signature-Nonce": {"n"}, "X-Acs-Content-Sha256": {emptyHash},
		}
		w, e := serve(t, s, r)
		if w.Code >= 500 || !authenticationCodes[e.Code] {
			t.Fatalf("%q: %d %+v", authorization, w.Code, e)
		}
	})
}

// TestFIPSOnly runs the vectors of V1 in a process that forbids SHA-1: they are refused by code, and nothing panics.
func TestFIPSOnly(t *testing.T) {
	if os.Getenv("MERIDIAN_TEST_FIPS") == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestFIPSOnly$", "-test.v")
		child.Env = append(os.Environ(), "GODEBUG=fips140=only", "MERIDIAN_TEST_FIPS=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, v := range readVectors(t) {
		s := newFace(t, v.Now, []string{"kms.example.test"}, access.Key{ID: v.KeyID, Secret: crypto.Secret(v.KeySecret)})
		if v.After != "" || v.Verdict != "accept" {
			continue
		}
		_, e := serve(t, s, v.request(t))
		sha1 := v.Scheme == "V1" && v.ID != "v1-hmac-sha256"
		if sha1 != (e.Code == CodeInvalidSignatureMethod) || e.Code == CodeInternalFailure {
			t.Errorf("%s: %+v", v.ID, e)
		}
		if sha1 && strings.Contains(e.Message, "HMAC-SHA1 and") {
			t.Errorf("%s names SHA-1 as served: %s", v.ID, e.Message)
		}
	}
	fmt.Println("--- PASS")
}
