package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster/access"
)

const (
	testAccessKey = "testAccessKeyId"
	testSecret    = "testAccessKeySecret0000000000001"
	testHost      = "kms.test"
)

// harness is a server on a real store, and a client that signs by its own reading of the protocol.
type harness struct {
	*testRegion
	server   *Server
	identity *access.Identity
	clock    *testClock
	peers    Peers // of servers that are started from now on
	shared   map[string]string
}

// testClock is a clock that stands until it is moved.
type testClock struct{ at atomic.Int64 }

func (c *testClock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *testClock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newHarness(tb testing.TB, limits Limits) *harness {
	tb.Helper()
	clock := new(testClock)
	clock.at.Store(time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC).UnixNano())
	h := &harness{testRegion: newTestRegion(tb, clock.now), clock: clock, peers: Peers{Regions: []string{"cn-shanghai-self"}, ExportToAny: true}, shared: map[string]string{}}
	h.server, h.identity = h.newServer(tb, limits)
	return h
}

// newServer starts another node on the same region.
func (h *harness) newServer(tb testing.TB, limits Limits) (*Server, *access.Identity) {
	tb.Helper()
	ids, err := access.NewRoot(testAccount, access.Key{ID: testAccessKey, Secret: []byte(testSecret)})
	if err != nil {
		tb.Fatal(err)
	}
	limits.NoncesPerKey, limits.Nonces = 1<<16, 1<<17
	if limits.VersionInterval == 0 {
		limits.VersionInterval = -1
	}
	s, err := New(Config{
		Region: h.testRegion, RegionID: testRegionID, Account: testAccount, NodeID: "hz-1", Peers: h.peers,
		Identities: ids, Limits: limits, Hosts: []string{testHost}, Now: h.clock.now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close server: %v", err)
		}
	})
	identity, _ := ids.Lookup(testAccessKey)
	return s, identity
}

// wire says how a request travels and how its answer comes back.
type wire struct {
	method string
	v3     bool
	xml    bool
}

func (w wire) String() string {
	text := w.method + " V1 JSON"
	if w.v3 {
		text = w.method + " V3"
	} else if w.xml {
		text = w.method + " V1 XML"
	}
	return text
}

// wires are all the ways to send a request.
var wires = []wire{
	{method: http.MethodGet}, {method: http.MethodPost}, {method: http.MethodGet, xml: true}, {method: http.MethodPost, xml: true},
	{method: http.MethodGet, v3: true}, {method: http.MethodPost, v3: true},
}

type params = map[string]string

// with returns a copy of p with changes; the value "-" leaves a parameter out.
func with(p params, changes ...string) params {
	p = maps.Clone(p)
	if p == nil {
		p = params{}
	}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == "-" {
			delete(p, changes[i])
		} else {
			p[changes[i]] = changes[i+1]
		}
	}
	return p
}

// reply is an answer, its members in one form whether it came as JSON or as XML.
type reply struct {
	status int
	code   string // empty if it is no error
	raw    string
	header http.Header
	body   map[string]any
}

func (r reply) text(path string) string {
	var at any = r.body
	for _, name := range strings.Split(path, ".") {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	text, _ := at.(string)
	return text
}

func (r reply) message() string { return r.text("Message") }

// number reads a count of a JSON answer.
func (r reply) number(name string) int {
	n, _ := r.body[name].(float64)
	return int(n)
}

// list reads one text of each item of a list of a JSON answer.
func (r reply) list(outer, inner, member string) []string {
	object, _ := r.body[outer].(map[string]any)
	items, _ := object[inner].([]any)
	texts := []string{}
	for _, item := range items {
		text, _ := item.(map[string]any)[member].(string)
		texts = append(texts, text)
	}
	return texts
}

// call sends an action the usual way: POST, V1, JSON.
func (h *harness) call(tb testing.TB, action string, p params) reply {
	tb.Helper()
	return h.callBy(tb, wire{method: http.MethodPost}, action, p)
}

func (h *harness) callBy(tb testing.TB, w wire, action string, p params) reply {
	tb.Helper()
	r := h.send(tb, h.server, w, h.request(w, action, p))
	checkCode(tb, action, r.code)
	return r
}

// ok sends an action that must succeed.
func (h *harness) ok(tb testing.TB, action string, p params) reply {
	tb.Helper()
	r := h.call(tb, action, p)
	if r.code != "" {
		tb.Fatalf("%s %v: %s", action, slices.Sorted(maps.Keys(p)), r.raw)
	}
	return r
}

// fails sends an action that must be refused with a code, and returns the answer.
func (h *harness) fails(tb testing.TB, code, action string, p params) reply {
	tb.Helper()
	r := h.call(tb, action, p)
	if r.code != code {
		tb.Fatalf("%s %v: answered %q, want code %s", action, p, r.raw, code)
	}
	return r
}

// send lets a server answer and reads the answer.
func (h *harness) send(tb testing.TB, s *Server, w wire, request *http.Request) reply {
	tb.Helper()
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, request)
	r := reply{status: recorder.Code, raw: recorder.Body.String(), header: recorder.Header()}
	var err error
	if w.xml {
		r.body, err = readXML(r.raw)
	} else {
		err = json.Unmarshal(recorder.Body.Bytes(), &r.body)
	}
	if err != nil {
		tb.Fatalf("answer %q: %v", r.raw, err)
	}
	r.code = r.text("Code")
	if (r.code == "") != (r.status == http.StatusOK) {
		tb.Fatalf("status %d with code %q", r.status, r.code)
	}
	return r
}

func newNonce() string {
	b := make([]byte, 16)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// request makes a signed request.
func (h *harness) request(w wire, action string, p params) *http.Request {
	if w.v3 {
		return h.requestV3(w, action, p)
	}
	return h.requestV1(w, newNonce(), action, p)
}

// requestWithNonce makes a GET request with a nonce of the test's choice.
func (h *harness) requestWithNonce(nonce, action string, p params) *http.Request {
	return h.requestV1(wire{method: http.MethodGet}, nonce, action, p)
}

func (h *harness) requestV1(w wire, nonce, action string, p params) *http.Request {
	all := with(p, "Action", action, "Version", KMSVersion, "AccessKeyId", testAccessKey, "SignatureMethod", "HMAC-SHA1",
		"SignatureVersion", "1.0", "SignatureNonce", nonce, "Timestamp", h.clock.now().Format(timeLayout))
	if w.xml {
		all["Format"] = "XML"
	}
	mac := hmac.New(sha1.New, []byte(testSecret+"&"))
	io.WriteString(mac, w.method+"&%2F&"+escape(query(all)))
	all["Signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return newRequest(w.method, query(all))
}

// newRequest puts parameters into the query of a GET, or the form of a POST.
func newRequest(method, encoded string) *http.Request {
	if method == http.MethodGet {
		return httptest.NewRequest(method, "http://"+testHost+"/?"+encoded, nil)
	}
	r := httptest.NewRequest(method, "http://"+testHost+"/", strings.NewReader(encoded))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func (h *harness) requestV3(w wire, action string, p params) *http.Request {
	r := newRequest(w.method, query(p))
	body := ""
	if w.method == http.MethodPost {
		body = query(p)
	}
	signed := map[string]string{
		"host": testHost, "x-acs-action": action, "x-acs-version": KMSVersion, "x-acs-date": h.clock.now().Format(timeLayout),
		"x-acs-signature-nonce": newNonce(), "x-acs-content-sha256": hexSHA256(body),
	}
	if body != "" {
		signed["content-type"] = "application/x-www-form-urlencoded"
	}
	names := slices.Sorted(maps.Keys(signed))
	canonical := w.method + "\n/\n" + r.URL.RawQuery + "\n"
	for _, name := range names {
		canonical += name + ":" + signed[name] + "\n"
		if name != "host" {
			r.Header.Set(name, signed[name])
		}
	}
	list := strings.Join(names, ";")
	canonical += "\n" + list + "\n" + signed["x-acs-content-sha256"]
	mac := hmac.New(sha256.New, []byte(testSecret))
	io.WriteString(mac, "ACS3-HMAC-SHA256\n"+hexSHA256(canonical))
	r.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+testAccessKey+",SignedHeaders="+list+",Signature="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

// cloneRequest copies a request before it is sent, body included.
func cloneRequest(tb testing.TB, r *http.Request) *http.Request {
	tb.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	again := r.Clone(r.Context())
	r.Body, again.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	return again
}

func hexSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func query(p params) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		pairs = append(pairs, escape(name)+"="+escape(p[name]))
	}
	return strings.Join(pairs, "&")
}

func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// readXML reads an answer as the map that the same answer in JSON gives, but for lists, which it finds by their names.
func readXML(text string) (map[string]any, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		if root, ok := token.(xml.StartElement); ok {
			value, err := readElement(d, root.Name.Local)
			if err != nil {
				return nil, err
			}
			if root.Name.Local != "KMS" && root.Name.Local != "Error" {
				return nil, errors.New("root " + root.Name.Local)
			}
			object, ok := value.(map[string]any)
			if !ok {
				return nil, errors.New("root holds no members")
			}
			return object, nil
		}
	}
}

// xmlLists are the lists of the answers, outer name to inner.
var xmlLists = map[string]string{
	"Keys": "Key", "Aliases": "Alias", "Regions": "Region", "KeyVersions": "KeyVersion", "Tags": "Tag", "TagResources": "TagResource",
}

// readElement reads up to the end of an element: a text, or a map of its children.
func readElement(d *xml.Decoder, outer string) (any, error) {
	children, text := map[string]any{}, ""
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.CharData:
			text += string(token)
		case xml.StartElement:
			name := token.Name.Local
			value, err := readElement(d, name)
			if err != nil {
				return nil, err
			}
			if inner, ok := xmlLists[name]; ok {
				if value == "" {
					value = map[string]any{}
				}
				list := value.(map[string]any)
				if list[inner] == nil {
					list[inner] = []any{}
				}
			}
			if list, ok := children[name].([]any); ok {
				children[name] = append(list, value)
			} else if xmlLists[outer] == name {
				children[name] = []any{value}
			} else {
				children[name] = value
			}
		case xml.EndElement:
			if len(children) == 0 {
				return text, nil
			}
			return children, nil
		}
	}
}

// newKey makes a key and returns its id.
func (h *harness) newKey(tb testing.TB) string {
	tb.Helper()
	return h.ok(tb, "CreateKey", nil).text("KeyMetadata.KeyId")
}

// keyIn makes a key that is in a state.
func (h *harness) keyIn(tb testing.TB, state string) string {
	tb.Helper()
	if state == "PendingImport" {
		return h.ok(tb, "CreateKey", params{"Origin": "EXTERNAL"}).text("KeyMetadata.KeyId")
	}
	id := h.newKey(tb)
	switch state {
	case "Disabled":
		h.ok(tb, "DisableKey", params{"KeyId": id})
	case "PendingDeletion":
		h.ok(tb, "ScheduleKeyDeletion", params{"KeyId": id, "PendingWindowInDays": "7"})
	}
	return id
}

// newKeyOf makes a key of a spec and usage; an empty usage is the spec's own.
func (h *harness) newKeyOf(tb testing.TB, spec, usage string) string {
	tb.Helper()
	return h.ok(tb, "CreateKey", params{"KeySpec": spec, "KeyUsage": usage}).text("KeyMetadata.KeyId")
}

// sharedKey is one key of a spec and usage that tests use without changing it: RSA keys take long to make.
func (h *harness) sharedKey(tb testing.TB, spec, usage string) string {
	tb.Helper()
	if h.shared[spec+usage] == "" {
		h.shared[spec+usage] = h.newKeyOf(tb, spec, usage)
	}
	return h.shared[spec+usage]
}

// newestVersion is the id of a key's newest version.
func (h *harness) newestVersion(tb testing.TB, key string) string {
	tb.Helper()
	versions := h.ok(tb, "ListKeyVersions", params{"KeyId": key}).list("KeyVersions", "KeyVersion", "KeyVersionId")
	if len(versions) == 0 {
		tb.Fatalf("key %s has no version", key)
	}
	return versions[0]
}

// encrypt seals a text and returns the blob in Base64.
func (h *harness) encrypt(tb testing.TB, key, plaintext string, more ...string) string {
	tb.Helper()
	return h.ok(tb, "Encrypt", with(params{"KeyId": key, "Plaintext": b64(plaintext)}, more...)).text("CiphertextBlob")
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func unb64(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		tb.Fatalf("not Base64: %q", text)
	}
	return b
}
