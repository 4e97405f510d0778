package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestKeyPolicy(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	var policy struct{ Version string }
	if text := h.ok(t, "GetKeyPolicy", params{"KeyId": key}).text("Policy"); json.Unmarshal([]byte(text), &policy) != nil || policy.Version != "1" || !strings.Contains(text, testAccount) {
		t.Errorf("policy of a key without one: %s", text)
	}
	h.ok(t, "SetKeyPolicy", params{"KeyId": key, "Policy": testPolicy})
	if text := h.ok(t, "GetKeyPolicy", params{"KeyId": key, "PolicyName": "default"}).text("Policy"); text != testPolicy {
		t.Errorf("got %s", text)
	}
	// What CreateKey answered with is a policy that SetKeyPolicy takes.
	h.ok(t, "SetKeyPolicy", params{"KeyId": key, "Policy": h.ok(t, "GetKeyPolicy", params{"KeyId": h.newKey(t)}).text("Policy")})
	if r := h.fails(t, CodeForbiddenResourceNotFound, "GetKeyPolicy", params{"KeyId": key, "PolicyName": "other"}); r.status != 404 || !strings.Contains(r.message(), "other") {
		t.Error(r.raw)
	}
	longer := func(bytes int) string { // of letters, which take one byte each on the wire
		return strings.Replace(testPolicy, `"Resource":["*"]`, `"Resource":["*`+strings.Repeat("x", bytes-len(testPolicy))+`"]`, 1)
	}
	longest, tooLong := longer(32768), longer(32769)
	h.ok(t, "SetKeyPolicy", params{"KeyId": key, "Policy": longest})
	h.fails(t, CodeInvalidParameter, "SetKeyPolicy", params{"KeyId": key, "Policy": tooLong})
	h.fails(t, CodeInvalidParameter, "CreateKey", params{"Policy": tooLong})
	h.ok(t, "CreateKey", params{"Policy": longest})
	for _, bad := range []string{`{"Version":"1"}`, `{"Version":"2","Statement":[]}`, strings.Replace(testPolicy, "Allow", "Deny", 1), `[]`} {
		if r := h.fails(t, CodeMalformedPolicyDocument, "SetKeyPolicy", params{"KeyId": key, "Policy": bad}); r.status != 400 || !strings.Contains(r.message(), "Policy") {
			t.Error(r.raw)
		}
	}
	if text := h.ok(t, "GetKeyPolicy", params{"KeyId": key}).text("Policy"); text != longest {
		t.Error("a refused policy replaced the one before")
	}
}
