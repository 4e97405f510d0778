package api

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"meridian/crypto"
)

// withoutKey are the actions that are about no key that exists.
var withoutKey = []string{"CreateKey", "ListAliases", "DescribeRegions", "DescribeAccountKmsStatus", "OpenKmsService", "GetRandomPassword"}

// TestStates puts a key into each state and sends every action that the state matrix names.
func TestStates(t *testing.T) {
	h := newHarness(t, Limits{})
	seen := map[string]bool{}
	for _, row := range readDocuments(t).States {
		for _, name := range texts(row["actions"]) {
			name, _, _ = strings.Cut(name, " (")
			if scenes[name] == nil {
				continue
			}
			seen[name] = true
			for _, state := range []string{"Enabled", "Disabled", "PendingDeletion", "PendingImport"} {
				want, _ := row[state].(string)
				t.Run(name+" "+state, func(t *testing.T) { checkStateRule(t, h, name, state, strings.TrimPrefix(want, "ok")) })
			}
		}
	}
	for i := range Actions() {
		if a := &Actions()[i]; !seen[a.Name] && !slices.Contains(withoutKey, a.Name) {
			t.Errorf("the state matrix says nothing of %s", a.Name)
		}
	}
}

func checkStateRule(t *testing.T, h *harness, action, state, code string) {
	p := scenes[action](t, h)
	key := ""
	opens := action == "Decrypt" || action == "ReEncrypt" || action == "ExportDataKey"
	switch {
	case strings.HasPrefix(action, "Asymmetric") || action == "GetPublicKey":
		key = p["KeyId"]
		if state == "PendingImport" { // no pair is ever: the state counts before the kind of key
			key = h.keyIn(t, state)
			p["KeyId"] = key
		}
		h.moveTo(t, key, state)
	case action == "GetParametersForImport" || action == "ImportKeyMaterial" || action == "DeleteKeyMaterial":
		key = h.importedKey(t)
		if action == "ImportKeyMaterial" {
			p = h.importParams(t, key, "RSAES_OAEP_SHA_256", testMaterial)
		}
		p["KeyId"] = key
		h.moveTo(t, key, state)
	case action == "SetDeletionProtection":
		key = h.keyIn(t, state)
		p = with(p, "KeyId", key, "ProtectedResourceArn", "-")
	case p["ResourceId.1"] != "":
		key = h.keyIn(t, state)
		p["ResourceId.1"] = key
	case action == "DescribeKeyVersion" && state != "PendingImport":
		key = p["KeyId"]
		h.moveTo(t, key, state)
	case action == "DescribeKeyVersion":
		key = h.importedKey(t)
		p = params{"KeyId": key, "KeyVersionId": h.newestVersion(t, key)}
	case opens && state == "PendingImport":
		key = h.keyIn(t, state)
		p["CiphertextBlob"] = blobNaming(t, key)
		delete(p, "SourceKeyId")
	case opens:
		blob := unb64(t, p["CiphertextBlob"])
		parsed, err := parseTestBlob(blob)
		if err != nil {
			t.Fatal(err)
		}
		key = parsed.KeyID.String()
		h.moveTo(t, key, state)
	case action == "DeleteAlias":
		key = h.newKey(t)
		h.ok(t, "UpdateAlias", params{"AliasName": p["AliasName"], "KeyId": key})
		h.moveTo(t, key, state)
	case action == "ListKeys":
		h.keyIn(t, state)
	default:
		key = h.keyIn(t, state)
		p["KeyId"] = key
	}
	r := h.call(t, action, p)
	if r.code != code {
		t.Fatalf("answered %s, want code %q", r.raw, code)
	}
	if code != "" && !strings.Contains(r.message(), key) {
		t.Errorf("message %q does not name the key", r.message())
	}
}

// blobNaming is a blob that names a key and a version of it, as one that was sealed before the material was deleted.
func blobNaming(tb testing.TB, key string) string {
	tb.Helper()
	return blobOf(tb, testRegionID, key)
}

// blobOf is a blob of a region that names a key.
func blobOf(tb testing.TB, region, key string) string {
	tb.Helper()
	id, ok := crypto.ParseKeyID(key)
	if !ok {
		tb.Fatalf("%q is no key id", key)
	}
	x, err := crypto.NewXAES(crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	if err != nil {
		tb.Fatal(err)
	}
	header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: region, KeyID: id, VersionID: crypto.NewVersionID()}
	blob, err := crypto.SealBlob(nil, x, header, crypto.Context{}, []byte("hello"))
	if err != nil {
		tb.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(blob)
}

// moveTo puts an Enabled key into another state.
func (h *harness) moveTo(tb testing.TB, key, state string) {
	tb.Helper()
	switch state {
	case "Disabled":
		h.ok(tb, "DisableKey", params{"KeyId": key})
	case "PendingDeletion":
		h.ok(tb, "ScheduleKeyDeletion", params{"KeyId": key, "PendingWindowInDays": "30"})
	case "PendingImport":
		if h.key(tb, key).Origin == originExternal {
			h.ok(tb, "DeleteKeyMaterial", params{"KeyId": key})
		}
	}
}
