package migrate

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// cloud is a region that answers as much of the API as the standard way uses, with real cryptography.
type cloud struct {
	id      string
	key     crypto.KeyID
	version crypto.VersionID
	xaes    *crypto.XAES
	pair    *rsa.PrivateKey // of its transport key
	servers []*httptest.Server

	mu    sync.Mutex
	calls map[string]int
	// refuse answers in place of an action: status and code; 0: nothing.
	refuse func(action string, call int, form map[string]string) (int, string)
	echoes func(plaintext string) string // what refusals repeat of it
	// changeSealed changes the blobs that ReEncrypt and Encrypt answer.
	changeSealed func([]byte) []byte
	endless      bool // lists of aliases do not end
	// native serves Meridian's own actions; nil: another service.
	native *nativeCloud
	// foreign stands before its blobs, which have a header that nobody else can read then.
	foreign string
	mute    bool // answers do not name the key that a blob is under
}

// named adds the key that a blob is under to an answer.
func (c *cloud) named(answer map[string]any) map[string]any {
	if !c.mute {
		answer["KeyId"], answer["KeyVersionId"] = c.key.String(), c.version.String()
	}
	return answer
}

// echo is what a refusal repeats.
func (c *cloud) echo(form map[string]string) string {
	if c.echoes == nil {
		return ""
	}
	return " " + c.echoes(form["Plaintext"])
}

const transportID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"

func newCloud(t *testing.T, id string, nodes int) *cloud {
	t.Helper()
	c := &cloud{id: id, key: crypto.NewKeyID(), version: crypto.NewVersionID(), calls: map[string]int{}}
	var err error
	if c.xaes, err = crypto.NewXAES(crypto.NewMaterial(crypto.AlgorithmXAES256GCM)); err != nil {
		t.Fatal(err)
	}
	if c.pair, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	for range nodes {
		s := httptest.NewServer(http.HandlerFunc(c.serve))
		t.Cleanup(s.Close)
		c.servers = append(c.servers, s)
	}
	return c
}

func (c *cloud) region(t *testing.T) *Region {
	t.Helper()
	var endpoints []string
	for _, s := range c.servers {
		endpoints = append(endpoints, s.URL)
	}
	r, err := NewRegion(c.id, client.Config{Endpoints: endpoints, AccessKeyID: "id", Secret: crypto.Secret(strings.Repeat("s", 32)), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form := map[string]string{}
	for name := range r.Form {
		form[name] = r.Form.Get(name)
	}
	action := r.Header.Get("x-acs-action")
	if r.Header.Get("x-acs-version") == client.MeridianVersion && c.native != nil {
		c.native.serve(w, r, action)
		return
	}
	c.mu.Lock()
	c.calls[action]++
	status, code := 0, ""
	if c.refuse != nil {
		status, code = c.refuse(action, c.calls[action], form)
	}
	c.mu.Unlock()
	var answer any
	if status == 0 {
		answer, status, code = c.answer(action, form)
	}
	if status == 200 && form["DryRun"] == "true" {
		answer, status, code = nil, 412, "DryRunOperationError"
	}
	if code != "" {
		answer = map[string]string{"Code": code, "Message": "refused: " + code + c.echo(form), "RequestId": "r"}
	}
	w.Header().Set("X-Acs-Request-Id", "r")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

func (c *cloud) answer(action string, form map[string]string) (answer any, status int, code string) {
	switch action {
	case "DescribeKey":
		switch form["KeyId"] {
		case "alias/transport", transportID:
			return map[string]any{"KeyMetadata": map[string]string{"KeyId": transportID, "KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT/DECRYPT"}}, 200, ""
		case "alias/pay", c.key.String():
			return map[string]any{"KeyMetadata": map[string]string{
				"KeyId": c.key.String(), "PrimaryKeyVersion": c.version.String(), "KeySpec": "Aliyun_AES_256", "KeyState": "Enabled",
			}}, 200, ""
		}
		return nil, 404, "Forbidden.KeyNotFound"
	case "ListAliasesByKeyId":
		if c.endless {
			return map[string]any{"Aliases": map[string]any{"Alias": []map[string]string{{"AliasName": "alias/pay" + form["PageNumber"]}}}, "TotalCount": 1 << 30}, 200, ""
		}
		return map[string]any{"Aliases": map[string]any{"Alias": []map[string]string{{"AliasName": "alias/pay"}}}, "TotalCount": 1}, 200, ""
	case "ListKeyVersions":
		return map[string]any{"KeyVersions": map[string]any{"KeyVersion": []map[string]string{{"KeyVersionId": transportID}}}}, 200, ""
	case "GetPublicKey":
		der, err := x509.MarshalPKIXPublicKey(c.pair.Public())
		if err != nil {
			return nil, 500, "InternalFailure"
		}
		return map[string]string{"PublicKey": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}, 200, ""
	case "ExportDataKey":
		return c.export(form)
	case "ReEncrypt":
		return c.reEncrypt(form)
	case "Decrypt":
		plaintext, ok := c.open(form)
		if !ok {
			return nil, 400, "InvalidParameter"
		}
		return c.named(map[string]any{"Plaintext": plaintext}), 200, ""
	case "Encrypt":
		return c.encrypt(form)
	}
	return nil, 404, "InvalidAction.NotFound"
}

// open opens a blob of the region.
func (c *cloud) open(form map[string]string) (plaintext []byte, ok bool) {
	raw, _ := base64.StdEncoding.DecodeString(form["CiphertextBlob"])
	raw, own := bytes.CutPrefix(raw, []byte(c.foreign))
	blob, err := crypto.ParseBlob(raw)
	if !own {
		return nil, false
	}
	context, contextErr := crypto.ParseContext([]byte(form["EncryptionContext"]))
	if err != nil || contextErr != nil {
		return nil, false
	}
	plaintext, err = blob.Open(nil, c.xaes, context)
	return plaintext, err == nil
}

// maxPlaintext is what the region encrypts at the most.
const maxPlaintext = 4096

func (c *cloud) encrypt(form map[string]string) (any, int, string) {
	plaintext, err := base64.StdEncoding.DecodeString(form["Plaintext"])
	context, contextErr := crypto.ParseContext([]byte(form["EncryptionContext"]))
	if err != nil || contextErr != nil || form["KeyId"] != c.key.String() || len(plaintext) < 1 || len(plaintext) > maxPlaintext {
		return nil, 400, "InvalidParameter"
	}
	blob, err := c.seal(plaintext, context)
	if err != nil {
		return nil, 500, "InternalFailure"
	}
	return c.named(map[string]any{"CiphertextBlob": blob}), 200, ""
}

func (c *cloud) export(form map[string]string) (any, int, string) {
	plaintext, ok := c.open(form)
	if !ok {
		return nil, 400, "InvalidParameter"
	}
	der, _ := base64.StdEncoding.DecodeString(form["PublicKeyBlob"])
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, 400, "InvalidParameter"
	}
	exported, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), plaintext, nil)
	if err != nil {
		return nil, 400, "InvalidParameter"
	}
	return c.named(map[string]any{"ExportedDataKey": exported}), 200, ""
}

func (c *cloud) reEncrypt(form map[string]string) (any, int, string) {
	raw, _ := base64.StdEncoding.DecodeString(form["CiphertextBlob"])
	plaintext, err := rsa.DecryptOAEP(sha256.New(), nil, c.pair, raw, nil)
	context, contextErr := crypto.ParseContext([]byte(form["DestinationEncryptionContext"]))
	if err != nil || contextErr != nil || form["DestinationKeyId"] != c.key.String() || form["SourceKeyId"] != transportID {
		return nil, 400, "InvalidParameter"
	}
	blob, err := c.seal(plaintext, context)
	if err != nil {
		return nil, 500, "InternalFailure"
	}
	if c.changeSealed != nil {
		blob = c.changeSealed(blob)
	}
	return c.named(map[string]any{"CiphertextBlob": blob}), 200, ""
}

func (c *cloud) seal(plaintext []byte, context crypto.Context) ([]byte, error) {
	return crypto.SealBlob([]byte(c.foreign), c.xaes, crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: c.id, KeyID: c.key, VersionID: c.version}, context, plaintext)
}

// row is a row with a blob of the region.
func (c *cloud) row(t *testing.T, plaintext, context string) string {
	t.Helper()
	parsed, err := crypto.ParseContext([]byte(context))
	if err != nil {
		t.Fatal(err)
	}
	blob, err := c.seal([]byte(plaintext), parsed)
	if err != nil {
		t.Fatal(err)
	}
	if context == "" {
		context = "null"
	}
	return fmt.Sprintf(`{"ciphertext":"%s","context":%s}`, base64.StdEncoding.EncodeToString(blob), context)
}

func newTestWay(t *testing.T, from, to *cloud) *Standard {
	t.Helper()
	transport, err := FindTransport(t.Context(), to.region(t), "alias/transport")
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := ParseMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewStandard(from.region(t), to.region(t), transport, mapping)
}

// A mapping may name what can be no key: at the most bytes of a name the region is asked, one past it nobody is.
func TestMappedKeyName(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	transport, err := FindTransport(t.Context(), to.region(t), "alias/transport")
	if err != nil {
		t.Fatal(err)
	}
	for extra, want := range []string{"Forbidden.KeyNotFound", FaultNoTarget} {
		mapping, err := ParseMapping([]string{"* => " + strings.Repeat("k", maxKeyName+extra)})
		if err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(t, t.TempDir(), []byte(from.row(t, "x", "")+"\n"), NewStandard(from.region(t), to.region(t), transport, mapping))
		if _, err := Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		_, history, err := ReadJournal(cfg.Journal)
		if err != nil || len(history.Failures) != 1 || history.Failures[0].Code != want {
			t.Errorf("%d bytes: %+v, %v; want %s", maxKeyName+extra, history.Failures, err, want)
		}
	}
}

// Rows go from one region to the other with their contexts; what was moved is kept, and each bad row says what it is.
func TestStandardWay(t *testing.T) {
	from, to := newCloud(t, "cn-a", 3), newCloud(t, "cn-b", 3)
	other := newCloud(t, "cn-c", 1)
	stranger := newCloud(t, "cn-a", 1) // of the same region, with a key that it does not have
	input := strings.Join([]string{
		from.row(t, "data key 1", ""), from.row(t, "data key 2", `{"app":"pay"}`), to.row(t, "moved before", ""), other.row(t, "x", ""), stranger.row(t, "x", ""),
		strings.Replace(from.row(t, "wrong context", `{"a":"b"}`), `"b"`, `"c"`, 1), from.row(t, strings.Repeat("x", 190), ""), from.row(t, strings.Repeat("x", 191), ""),
		strings.Replace(from.row(t, "data key 3", ""), "{", `{"to":"alias/none",`, 1), `{"ciphertext":"AAAA"}`,
		strings.Replace(from.row(t, "x", ""), "{", `{"to":"`+strings.Repeat("k", maxKeyName)+`",`, 1), strings.Replace(from.row(t, "x", ""), "{", `{"to":"`+strings.Repeat("k", maxKeyName+1)+`",`, 1),
	}, "\n") + "\n"
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(input), newTestWay(t, from, to))
	last, err := Run(t.Context(), cfg)
	if err != nil || last.Counts != (Counts{Moved: 3, Kept: 1, Failed: 8}) {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err := os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	_, history, err := ReadJournal(cfg.Journal)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{FaultRegion, "Forbidden.KeyNotFound", "InvalidParameter", FaultTooLarge, "Forbidden.KeyNotFound", "InvalidParameter", "Forbidden.KeyNotFound", FaultNoTarget} {
		if f := history.Failures[i]; f.Code != want || f.Reason == "" {
			t.Errorf("failure %d: %+v, want %s", i, f, want)
		}
	}
	for i, line := range bytes.Split(bytes.TrimSpace(output), []byte("\n")) {
		var row struct {
			Ciphertext []byte
			Context    json.RawMessage
			Status     Status
			From       string
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		want, moved := map[int]string{0: "data key 1", 1: "data key 2", 2: "moved before", 6: strings.Repeat("x", 190)}[i]
		if !moved {
			if row.Status != Failed {
				t.Errorf("row %d: %s", i, line)
			}
			continue
		}
		if string(row.Context) == "null" {
			row.Context = nil
		}
		context, err := crypto.ParseContext(row.Context)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := crypto.ParseBlob(row.Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := blob.Open(nil, to.xaes, context); err != nil || string(got) != want {
			t.Errorf("row %d opens as %q, %v", i, got, err)
		}
	}
	// Keys are asked for once, not once a row.
	if from.calls["DescribeKey"] > 4 || to.calls["DescribeKey"] > 8 {
		t.Errorf("%d and %d keys described", from.calls["DescribeKey"], to.calls["DescribeKey"])
	}
}

// Throttling, outages and nodes that are gone are waited out; a refusal of the caller ends the run, with nothing lost.
func TestRegionsAreWaitedFor(t *testing.T) {
	from, to := newCloud(t, "cn-a", 2), newCloud(t, "cn-b", 3)
	way := newTestWay(t, from, to)
	from.refuse = func(action string, call int, _ map[string]string) (int, string) {
		switch {
		case action == "ExportDataKey" && call == 1:
			return 429, "Rejected.Throttling"
		case action == "ExportDataKey" && call <= 3:
			return 503, "ServiceUnavailableTemporary"
		}
		return 0, ""
	}
	to.servers[1].Close() // a node that is gone
	var rows []string
	for i := range 20 {
		rows = append(rows, from.row(t, fmt.Sprint("data key ", i), ""))
	}
	input := strings.Join(rows, "\n") + "\n"
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(input), way)
	cfg.Parallel = 3
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Moved != 20 {
		t.Fatalf("%+v, %v", last, err)
	}
	if way.from.Traffic().Throttled == 0 {
		t.Error("nothing was waited for")
	}
	from.refuse = func(action string, call int, _ map[string]string) (int, string) {
		if action == "ExportDataKey" && call > 40 {
			return 403, "Forbidden.ExportNotAllowed"
		}
		return 0, ""
	}
	cfg = testConfig(t, t.TempDir(), []byte(strings.Repeat(input, 3)), way)
	last, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "Forbidden.ExportNotAllowed") || last.Done || last.Counts.Failed != 0 {
		t.Errorf("%+v, %v", last, err)
	}
}

// A plan says what a run would do, and neither opens nor writes anything.
func TestPlan(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	way := newTestWay(t, from, to)
	input := strings.Join([]string{
		from.row(t, "data key 1", ""), from.row(t, "data key 2", `{"app":"pay"}`), to.row(t, "moved before", ""), newCloud(t, "cn-c", 1).row(t, "x", ""),
		from.row(t, strings.Repeat("x", 191), ""), "broken",
	}, "\n")
	p, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(input), DefaultColumns), nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != 6 || p.Kept != 1 || p.Failing != 3 || len(p.Failures) != 3 || len(p.Groups) != 1 {
		t.Fatalf("%+v", p)
	}
	if g := p.Groups[0]; g.Rows != 2 || g.State != "Enabled" || g.Problem != "" || g.Target != to.key.String() || g.Source != from.key.String() || len(g.Names) != 1 {
		t.Errorf("%+v", g)
	}
	for i, want := range []string{FaultRegion, FaultTooLarge, FaultSyntax} {
		if p.Failures[i].Code != want {
			t.Errorf("failure %d: %+v, want %s", i, p.Failures[i], want)
		}
	}
	for _, side := range []*cloud{from, to} {
		side.refuse = func(action string, _ int, form map[string]string) (int, string) {
			if action == "ExportDataKey" || action == "ReEncrypt" {
				if form["DryRun"] != "true" {
					t.Errorf("%s is no dry run", action)
				}
				return 403, "AccessDeniedError"
			}
			return 0, ""
		}
		p, err := way.Plan(t.Context(), NewJSONLines(strings.NewReader(input), DefaultColumns), nil)
		side.refuse = nil
		if err != nil || p.Failing != 5 || !strings.Contains(p.Groups[0].Problem, "AccessDeniedError") {
			t.Errorf("%s refuses: %+v, %v", side.id, p, err)
		}
	}
}

// A verification finds the one row whose blob holds another data key, and rows that are not the same.
func TestVerify(t *testing.T) {
	from, to := newCloud(t, "cn-a", 1), newCloud(t, "cn-b", 1)
	way := newTestWay(t, from, to)
	var rows []string
	for i := range 20 {
		rows = append(rows, strings.Replace(from.row(t, fmt.Sprint("data key ", i), ""), "{", fmt.Sprintf(`{"id":%d,`, i), 1))
	}
	input := strings.Join(append(rows, "broken"), "\n") + "\n"
	folder := t.TempDir()
	cfg := testConfig(t, folder, []byte(input), way)
	if last, err := Run(t.Context(), cfg); err != nil || last.Counts.Moved != 20 {
		t.Fatalf("%+v, %v", last, err)
	}
	output, err := os.ReadFile(filepath.Join(folder, "out"))
	if err != nil {
		t.Fatal(err)
	}
	verify := func(output string, chance float64) (*Verification, error) {
		pairs := PairFormats(NewJSONLines(strings.NewReader(input), DefaultColumns), NewJSONLines(strings.NewReader(output), DefaultColumns))
		return way.Verify(t.Context(), pairs, func() bool { return chance == 1 }, 4)
	}
	v, err := verify(string(output), 1)
	if err != nil || v.Rows != 21 || v.Moved != 20 || v.Checked != 20 || v.Equal != 20 || len(v.Failures) != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err := verify(string(output), 0); err != nil || v.Checked != 0 || v.Moved != 20 {
		t.Errorf("none chosen: %+v, %v", v, err)
	}
	lines := strings.SplitAfter(string(output), "\n")
	other := strings.Replace(to.row(t, "another data key", ""), "{", `{"id":7,`, 1)
	lines[7] = other + "\n"
	v, err = verify(strings.Join(lines, ""), 1)
	if err != nil || v.Equal != 19 || len(v.Failures) != 1 || v.Failures[0].Code != FaultDiffers || v.Failures[0].ID != "7" {
		t.Errorf("one differs: %+v, %v", v, err)
	}
	for what, bad := range map[string]string{"a row less": strings.Join(lines[1:], ""), "cut": strings.Join(lines[:5], ""), "exchanged": lines[1] + lines[0] + strings.Join(lines[2:], "")} {
		if _, err := verify(bad, 1); !errors.Is(err, ErrRows) {
			t.Errorf("%s: %v", what, err)
		}
	}
	to.refuse = func(action string, _ int, _ map[string]string) (int, string) {
		if action == "ExportDataKey" {
			return 403, "Forbidden.ExportNotAllowed"
		}
		return 0, ""
	}
	if _, err := verify(string(output), 1); err == nil || !strings.Contains(err.Error(), "Forbidden.ExportNotAllowed") {
		t.Errorf("a region that exports to nobody: %v", err)
	}
}
