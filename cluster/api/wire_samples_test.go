package api

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"meridian/cluster/access"
	"meridian/crypto"
)

// wireSample is a request recorded from a real client.
type wireSample struct {
	Name    string
	Action  string
	Request struct {
		Method  string
		Target  string `json:"request_target"`
		Headers [][2]string
		Body    string
	}
	DecodedParams map[string]string `json:"decoded_params"`
	Signature     struct {
		StringToSign string `json:"string_to_sign"`
		Canonical    string `json:"canonical_request"`
		Valid        bool   `json:"valid_for_the_secret_above"`
	}
}

// TestWireSamples verifies every recorded request and what it says.
func TestWireSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/wire-samples/*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("files %v: %v", files, err)
	}
	count := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var recording struct {
			AccessKeyID     string `json:"access_key_id"`
			AccessKeySecret string `json:"access_key_secret"`
			Samples         []wireSample
		}
		if err := json.Unmarshal(text, &recording); err != nil {
			t.Fatal(err)
		}
		key := access.Key{ID: recording.AccessKeyID, Secret: crypto.Secret(recording.AccessKeySecret)}
		for _, sample := range recording.Samples {
			count++
			t.Run(filepath.Base(file)+"/"+sample.Name, func(t *testing.T) { checkWireSample(t, key, sample) })
		}
	}
	if count != 104 {
		t.Errorf("%d samples, want 104", count)
	}
}

func checkWireSample(t *testing.T, key access.Key, sample wireSample) {
	q := sample.Request
	r := rawRequest(t, q.Method, q.Target, q.Headers, q.Body)
	var pool exchangePool
	x := pool.take()
	defer pool.release(x)
	if err := x.parse(r); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, p := range x.call.Params {
		got[p.Name] = p.Value
	}
	if !maps.Equal(got, sample.DecodedParams) {
		t.Errorf("parameters\n%v, want\n%v", got, sample.DecodedParams)
	}
	canonical, text := signedTexts(t, rawRequest(t, q.Method, q.Target, q.Headers, q.Body))
	if text != sample.Signature.StringToSign || canonical != sample.Signature.Canonical {
		t.Errorf("texts\n%q\n%q, want\n%q\n%q", canonical, text, sample.Signature.Canonical, sample.Signature.StringToSign)
	}

	if err := x.readClaim(r); err != nil {
		t.Fatal(err)
	}
	if x.claim.action != sample.Action {
		t.Errorf("action %q, want %q", x.claim.action, sample.Action)
	}
	stamp, ok := parseTime(x.claim.timestamp)
	if !ok {
		t.Fatalf("time %q", x.claim.timestamp)
	}
	s := newFace(t, stamp.Add(time.Second), []string{"127.0.0.1"}, key)
	_, e := serve(t, s, rawRequest(t, q.Method, q.Target, q.Headers, q.Body))
	if sample.Signature.Valid == authenticationCodes[e.Code] && !(e.Code == CodeMissingParameter && !commonParameter(e.Message)) {
		t.Errorf("answer %+v, recorded as valid: %v", e, sample.Signature.Valid)
	}
}
