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
	"fmt"
	"net/http"
	"net/http/httptest"
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
