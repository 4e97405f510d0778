package api

import (
	"strings"
	"testing"
)

func TestParseKeyName(t *testing.T) {
	const id = "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73"
	own := "acs:kms:" + testRegionID + ":" + testAccount + ":"
	for _, tt := range []struct {
		text  string
		kind  nameKind
		alias string
	}{
		{id, nameID, ""},
		{strings.ToUpper(id), nameID, ""},
		{own + "key/" + id, nameID, ""},
		{own + "key/" + strings.ToUpper(id), nameID, ""},
		{"alias/x", nameAlias, "alias/x"},
		{"alias/", nameAlias, "alias/"},
		{"alias/a b", nameAlias, "alias/a b"},
		{"alias/" + id, nameAlias, "alias/" + id},
		{own + "alias/x/y", nameAlias, "alias/x/y"},
		{"acs:kms:cn-shanghai:" + testAccount + ":key/" + id, nameElsewhere, ""},
		{"acs:kms:cn-shanghai:" + testAccount + ":alias/x", nameElsewhere, ""},
		{"acs:kms:cn-shanghai:1:key/" + id, nameElsewhere, ""},
		{"acs:kms:" + testRegionID + ":1:key/" + id, nameForeign, ""},
		{"acs:kms:" + testRegionID + "::alias/x", nameForeign, ""},
		{own + "key/alias/x", nameNothing, ""},
		{own + "secret/x", nameNothing, ""},
		{own + id, nameNothing, ""},
		{own + "key/", nameNothing, ""},
		{"acs:kms:" + id, nameNothing, ""},
		{"acs:ram::" + testAccount + ":key/" + id, nameNothing, ""},
		{"", nameNothing, ""},
		{"key/" + id, nameNothing, ""},
		{id + "0", nameNothing, ""},
		{"{" + id + "}", nameNothing, ""},
		{strings.ReplaceAll(id, "-", ""), nameNothing, ""},
		{"ALIAS/x", nameNothing, ""},
	} {
		got := parseKeyName(tt.text, testRegionID, testAccount)
		if got.kind != tt.kind || got.alias != tt.alias || got.kind == nameID && got.id.String() != id {
			t.Errorf("parseKeyName(%q): kind %d alias %q id %s, want kind %d alias %q", tt.text, got.kind, got.alias, got.id, tt.kind, tt.alias)
		}
		if form := isAlias(tt.text); form != (tt.alias != "" || tt.kind == nameElsewhere && strings.HasSuffix(tt.text, "/x") || tt.text == "acs:kms:"+testRegionID+"::alias/x") {
			t.Errorf("isAlias(%q) is %v", tt.text, form)
		}
	}
}

func FuzzParseKeyName(f *testing.F) {
	for _, seed := range []string{
		"08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73", "alias/x", "acs:kms:cn-hangzhou:1234567890123456:key/08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
		"acs:kms:cn-hangzhou:1234567890123456:alias/x", "acs:kms:::", "acs:kms:", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := parseKeyName(text, testRegionID, testAccount)
		switch name.kind {
		case nameID:
			if !strings.HasSuffix(strings.ToLower(text), name.id.String()) {
				t.Errorf("%q names key %s", text, name.id)
			}
		case nameAlias:
			if !strings.HasSuffix(text, name.alias) || !strings.HasPrefix(name.alias, aliasPrefix) || !isAlias(text) {
				t.Errorf("%q names alias %q", text, name.alias)
			}
		}
	})
}

// Every action answers with the id, whatever form the key was named in; those that take no alias say so.
func TestNamesOfKeys(t *testing.T) {
	h := newHarness(t, Limits{})
	key := h.newKey(t)
	h.ok(t, "CreateAlias", params{"AliasName": "alias/orders/main", "KeyId": key})
	own := "acs:kms:" + testRegionID + ":" + testAccount + ":"
	blob := h.encrypt(t, key, "hello")
	takesAlias := map[string]params{
		"DescribeKey": nil, "Encrypt": {"Plaintext": "AA=="}, "GenerateDataKey": nil, "GenerateDataKeyWithoutPlaintext": nil,
	}
	for action, more := range takesAlias {
		for _, name := range []string{key, strings.ToUpper(key), own + "key/" + key, "alias/orders/main", own + "alias/orders/main"} {
			r := h.ok(t, action, with(more, "KeyId", name))
			if r.text("KeyId")+r.text("KeyMetadata.KeyId") != key {
				t.Errorf("%s by %s answers %s", action, name, r.raw)
			}
		}
		h.fails(t, CodeForbiddenAliasNotFound, action, with(more, "KeyId", "alias/none"))
		h.fails(t, CodeForbiddenAliasNotFound, action, with(more, "KeyId", "alias/not an alias"))
		h.fails(t, CodeForbiddenAliasNotFound, action, with(more, "KeyId", own+"alias/none"))
		h.fails(t, CodeForbiddenAliasNotFound, action, with(more, "KeyId", "alias/ORDERS/main"))
	}
	for action, more := range map[string]params{
		"EnableKey": nil, "DisableKey": nil, "ScheduleKeyDeletion": {"PendingWindowInDays": "7"}, "CancelKeyDeletion": nil,
		"UpdateKeyDescription": {"Description": "x"}, "CreateAlias": {"AliasName": "alias/b"}, "UpdateAlias": {"AliasName": "alias/orders/main"}, "ListAliasesByKeyId": nil,
	} {
		for _, name := range []string{"alias/orders/main", "alias/none", own + "alias/orders/main", "acs:kms:cn-shanghai:1:alias/x"} {
			if r := h.fails(t, CodeUnsupportedAlias, action, with(more, "KeyId", name)); r.status != 400 || !strings.Contains(r.message(), action) {
				t.Errorf("%s: %s", action, r.raw)
			}
		}
		takesAlias[action] = more
	}
	const missing = "11111111-2222-4333-8444-555555555555"
	for action, more := range takesAlias {
		h.fails(t, CodeForbiddenKeyNotFound, action, with(more, "KeyId", missing))
		h.fails(t, CodeForbiddenKeyNotFound, action, with(more, "KeyId", own+"key/"+missing))
		h.fails(t, CodeForbiddenKeyNotFound, action, with(more, "KeyId", "acs:kms:"+testRegionID+":999:key/"+key))
		h.fails(t, CodeForbiddenKeyNotFound, action, with(more, "KeyId", "nonsense"))
		h.fails(t, CodeInvalidParameter, action, with(more, "KeyId", "bell\a"))
		r := h.fails(t, CodeInvalidParameterWrongRegion, action, with(more, "KeyId", "acs:kms:cn-shanghai:"+testAccount+":key/"+key))
		if !strings.Contains(r.message(), "cn-shanghai") || !strings.Contains(r.message(), testRegionID) || !strings.Contains(r.message(), "KeyId") {
			t.Errorf("%s: %s", action, r.message())
		}
	}
	h.ok(t, "ReEncrypt", params{"CiphertextBlob": blob, "DestinationKeyId": own + "alias/orders/main"})
	h.fails(t, CodeForbiddenAliasNotFound, "ReEncrypt", params{"CiphertextBlob": blob, "DestinationKeyId": "alias/none"})
	h.fails(t, CodeForbiddenKeyNotFound, "ReEncrypt", params{"CiphertextBlob": blob, "DestinationKeyId": missing})
}

func TestAliasNames(t *testing.T) {
	h := newHarness(t, Limits{})
	key, other := h.newKey(t), h.newKey(t)
	for _, name := range []string{"alias/a", "alias/" + strings.Repeat("x", 255), "alias/Az09_/-", "alias//", "alias/ac", "alias/ACS"} {
		h.ok(t, "CreateAlias", params{"AliasName": name, "KeyId": key})
		if r := h.fails(t, CodeAliasAlreadyExists, "CreateAlias", params{"AliasName": name, "KeyId": other}); r.status != 400 {
			t.Errorf("status %d", r.status)
		}
		h.ok(t, "DescribeKey", params{"KeyId": name})
		h.ok(t, "UpdateAlias", params{"AliasName": name, "KeyId": other})
		if r := h.ok(t, "DescribeKey", params{"KeyId": name}); r.text("KeyMetadata.KeyId") != other {
			t.Errorf("%s did not move", name)
		}
		h.ok(t, "DeleteAlias", params{"AliasName": name})
		h.fails(t, CodeForbiddenAliasNotFound, "DescribeKey", params{"KeyId": name})
		h.fails(t, CodeForbiddenAliasNotFound, "DeleteAlias", params{"AliasName": name})
		h.fails(t, CodeForbiddenAliasNotFound, "UpdateAlias", params{"AliasName": name, "KeyId": other})
	}
}
