package bench

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

var testKey = Key{ID: "LTAIkey", Secret: crypto.Secret("a secret"), Signature: client.V1}

var testCall = Call{Action: "Encrypt", Params: map[string]string{
	"KeyId": "alias/a b", "Plaintext": "+/8=", "EncryptionContext": `{"~":"ä*"}`,
}}

// parse reads the bytes of a request as a server would.
func parse(t *testing.T, request []byte) (*http.Request, []byte) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, request)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.ContentLength != int64(len(body)) {
		t.Fatalf("body of %d bytes, Content-Length %d: %v", len(body), r.ContentLength, err)
	}
	head, _, _ := bytes.Cut(request, []byte("\r\n\r\n"))
	if len(head)+4+len(body) != len(request) {
		t.Fatalf("%d bytes behind the body", len(request)-len(head)-4-len(body))
	}
	return r, body
}

// The signature is computed here from what a server reads, not from what the
// signer put together.
func TestV1RequestsVerify(t *testing.T) {
	for _, tc := range []struct {
		signature client.Signature
		hash      func() hash.Hash
		method    string
	}{{client.V1, sha1.New, "HMAC-SHA1"}, {client.V1SHA256, sha256.New, "HMAC-SHA256"}} {
		key := testKey
		key.Signature = tc.signature
		s := NewSigner("127.0.0.1:80", key, testCall)
		s.Prepare(3)
		for range 5 { // the last ones are not signed ahead
			r, body := parse(t, s.Append(nil, time.Now()))
			form, err := url.ParseQuery(string(body))
			if err != nil {
				t.Fatal(err)
			}
			params := map[string]string{}
			for name := range form {
				params[name] = form.Get(name)
			}
			given := params["Signature"]
			delete(params, "Signature")
			mac := hmac.New(tc.hash, []byte("a secret&"))
			mac.Write([]byte("POST&%2F&" + escape(encode(params))))
			if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); given != want {
				t.Errorf("signature %s, want %s", given, want)
			}
			if params["SignatureMethod"] != tc.method || params["Plaintext"] != "+/8=" || params["EncryptionContext"] != `{"~":"ä*"}` || r.Host != "127.0.0.1:80" {
				t.Errorf("parameters %v", params)
			}
		}
	}
}

func TestV3RequestsVerify(t *testing.T) {
	key := testKey
	key.Signature = client.V3
	for _, call := range []Call{testCall, {Action: "DescribeRegions"}} {
		s := NewSigner("example.test:7101", key, call)
		s.Prepare(2)
		for range 3 {
			r, body := parse(t, s.Append(nil, time.Now()))
			_, fields, _ := strings.Cut(r.Header.Get("Authorization"), "ACS3-HMAC-SHA256 ")
			auth := map[string]string{}
			for _, f := range strings.Split(fields, ",") {
				name, value, _ := strings.Cut(f, "=")
				auth[name] = value
			}
			headers := ""
			for _, name := range strings.Split(auth["SignedHeaders"], ";") {
				value := r.Header.Get(name)
				if name == "host" {
					value = r.Host
				}
				headers += name + ":" + value + "\n"
			}
			sum := sha256.Sum256(body)
			bodyHash := hex.EncodeToString(sum[:])
			if r.Header.Get("x-acs-content-sha256") != bodyHash {
				t.Error("the hash of the body is wrong")
			}
			canonical := sha256.Sum256([]byte("POST\n/\n\n" + headers + "\n" + auth["SignedHeaders"] + "\n" + bodyHash))
			mac := hmac.New(sha256.New, []byte("a secret"))
			mac.Write([]byte("ACS3-HMAC-SHA256\n" + hex.EncodeToString(canonical[:])))
			if want := hex.EncodeToString(mac.Sum(nil)); auth["Signature"] != want {
				t.Errorf("signature %s, want %s", auth["Signature"], want)
			}
			if auth["Credential"] != key.ID || r.Header.Get("x-acs-action") != call.Action || string(body) != encode(call.Params) {
				t.Errorf("request %v %s", r.Header, body)
			}
		}
	}
}

// No nonce occurs twice, whoever takes it, signed ahead or not.
func TestNoncesAreUnique(t *testing.T) {
	s := NewSigner("h:1", testKey, testCall)
	s.Prepare(500)
	var mu sync.Mutex
	seen := map[string]bool{}
	var takers sync.WaitGroup
	for range 8 {
		takers.Go(func() {
			for range 100 {
				_, body, _ := bytes.Cut(s.Append(nil, time.Now()), []byte("\r\n\r\n"))
				form, err := url.ParseQuery(string(body))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[form.Get("SignatureNonce")] = true
				mu.Unlock()
			}
		})
	}
	takers.Wait()
	if len(seen) != 800 {
		t.Errorf("%d nonces in 800 requests", len(seen))
	}
}

// Requests of a long run carry a time that is still good.
func TestOldRequestsAreSignedAgain(t *testing.T) {
	s := NewSigner("h:1", testKey, testCall)
	s.Prepare(1)
	later := time.Now().Add(renewAfter + time.Minute)
	_, body, _ := bytes.Cut(s.Append(nil, later), []byte("\r\n\r\n"))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := form.Get("Timestamp"); got != later.UTC().Format(timeLayout) {
		t.Errorf("Timestamp %s, want %s", got, later.UTC().Format(timeLayout))
	}
}

// What signing costs when a request is not signed ahead: next to nothing beside
// a call, as the text before the nonce is hashed once.
func BenchmarkAppend(b *testing.B) {
	s := NewSigner("h:1", testKey, Call{Action: "Encrypt", Params: map[string]string{"KeyId": "alias/a", "Plaintext": strings.Repeat("A", 5464)}})
	var request []byte
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		request = s.Append(request[:0], now)
	}
}
