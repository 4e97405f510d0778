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

// What is kept must say one thing to every reader of JSON.
func TestKeyPolicyOfAnotherMeaningIsRefused(t *testing.T) {
	const statement = `{"Effect":"Allow","Principal":{"RAM":["acs:ram::1:root"]},"Action":["kms:*"],"Resource":["*"]}`
	with := func(old, new string) string { return strings.Replace(testPolicy, old, new, 1) }
	sid := func(text string) string { return with(`{"Effect"`, `{"Sid":"`+text+`","Effect"`) }
	const twice, unknown = "a member is given twice", "only Version and Statement belong in it"
	for _, test := range []struct{ text, fault string }{
		{testPolicy, ""},
		{with(`}]}`, `},`+statement+`]}`), ""},
		{sid("a\u00e4 \\t\\u00e4"), ""},
		{with(`{"Version"`, `{"Statement":[`+strings.Replace(statement, "Allow", "Deny", 1)+`],"Version"`), twice},
		{with(`{"Version"`, `{"Version":"2","Version"`), twice},
		{with(`{"Version"`, `{"\u0056ersion":"2","Version"`), twice},
		{with(`"Effect"`, `"Effect":"Deny","Effect"`), twice},
		{with(`{"RAM"`, `{"RAM":[],"RAM"`), twice},
		{with(`["kms:*"]`, `[{"a":1,"a":1}]`), twice},
		{with(`"Version"`, `"version"`), unknown},
		{with(`"Statement"`, `"STATEMENT"`), unknown},
		{with(`{"Version"`, `{"version":"2","Version"`), unknown},
		{with(`{"Version"`, `{"Condition":{},"Version"`), unknown},
		{with(`"Effect"`, `"effect"`), "statement 1: only Sid, Effect"},
		{with(`"RAM"`, `"ram"`), "statement 1: Principal must be"},
		{with(`"1"`, `1`), "its Version must be"},
		{with(`"1"`, `null`), "its Version must be"},
		{`{"Version":"1","Statement":` + statement + `}`, "its Statement must be a list"},
		{`{"Version":"1","Statement":null}`, "it has no Statement"},
		{`null`, "its Version must be"},
		{testPolicy + `{}`, "not the JSON text"},
		{testPolicy + `x`, "not the JSON text"},
		{sid(`\u0000`), "statement 1: Sid: it holds a control character"},
		{sid(`\u001b`), "statement 1: Sid: it holds a control character"},
		{sid("\x7f"), "statement 1: Sid: it holds a control character"},
		{sid(`\uffff`), "statement 1: Sid: it holds a control character"},
		{sid(strings.Repeat("x", maxSidChars)), ""},
		{sid(strings.Repeat("x", maxSidChars+1)), "statement 1: Sid: it has more than 128 characters"},
		{with(`{"Effect"`, `{"Sid":1,"Effect"`), "statement 1: Sid must be a text"},
	} {
		kept, err := parseKeyPolicy(test.text)
		if test.fault == "" && (err != nil || kept != test.text) {
			t.Errorf("%s: %v", test.text, err)
		}
		if test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
			t.Errorf("%s: %v, want %q", test.text, err, test.fault)
		}
	}
}
