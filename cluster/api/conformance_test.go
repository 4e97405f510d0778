package api

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"meridian/crypto"
)

// scene prepares what an action needs and returns parameters with which it succeeds, all optional ones included. Each
// call prepares anew: a write succeeds once.
type scene func(tb testing.TB, h *harness) params

var sceneCount int

// freshAlias is an alias that no test used before.
func freshAlias() string {
	sceneCount++
	return fmt.Sprintf("alias/conformance-%d", sceneCount)
}

func keyScene(state string, more ...string) scene {
	return func(tb testing.TB, h *harness) params { return with(params{"KeyId": h.keyIn(tb, state)}, more...) }
}

func aliasScene(exists, moved bool) scene {
	return func(tb testing.TB, h *harness) params {
		p := params{"AliasName": freshAlias(), "KeyId": h.newKey(tb)}
		if exists {
			h.ok(tb, "CreateAlias", p)
		}
		if moved {
			p = with(p, "KeyId", h.newKey(tb))
		}
		return p
	}
}

// scenes has one entry for each action.
var scenes = map[string]scene{
	"CreateKey": func(testing.TB, *harness) params {
		return params{
			"Description": "orders", "KeySpec": "Aliyun_AES_256", "KeyUsage": "ENCRYPT/DECRYPT", "Origin": "Aliyun_KMS",
			"ProtectionLevel": "SOFTWARE", "EnableAutomaticRotation": "true", "RotationInterval": "30d",
			"Tags": `[{"TagKey":"team","TagValue":"orders"}]`, "KeyStorageMechanism": "any",
			"Policy": `{"Version":"1","Statement":[{"Effect":"Allow","Principal":{"RAM":["acs:ram::1:root"]},"Action":["kms:*"],"Resource":["*"]}]}`,
		}
	},
	"DescribeKey":          keyScene("Enabled"),
	"ListKeys":             func(testing.TB, *harness) params { return params{"PageNumber": "1", "PageSize": "10", "Filters": `[]`} },
	"EnableKey":            keyScene("Disabled"),
	"DisableKey":           keyScene("Enabled"),
	"ScheduleKeyDeletion":  keyScene("Enabled", "PendingWindowInDays", "7"),
	"CancelKeyDeletion":    keyScene("PendingDeletion"),
	"UpdateKeyDescription": keyScene("Enabled", "Description", "orders"),
	"CreateAlias":          aliasScene(false, false),
	"UpdateAlias":          aliasScene(true, true),
	"DeleteAlias": func(tb testing.TB, h *harness) params {
		return with(aliasScene(true, false)(tb, h), "KeyId", "-")
	},
	"ListAliases": func(testing.TB, *harness) params { return params{"PageNumber": "1", "PageSize": "10"} },
	"ListAliasesByKeyId": func(tb testing.TB, h *harness) params {
		p := aliasScene(true, false)(tb, h)
		return params{"KeyId": p["KeyId"], "PageNumber": "1", "PageSize": "10"}
	},
	"Encrypt": keyScene("Enabled", "Plaintext", "aGVsbG8=", "EncryptionContext", `{"a":"b"}`, "DryRun", "false"),
	"Decrypt": func(tb testing.TB, h *harness) params {
		return params{"CiphertextBlob": h.encrypt(tb, h.newKey(tb), "hello"), "EncryptionContext": "{}", "DryRun": "false"}
	},
	"GenerateDataKey": keyScene("Enabled", "KeySpec", "AES_128", "NumberOfBytes", "24", "EncryptionContext", `{"a":"b"}`, "DryRun", "false"),
	"GenerateDataKeyWithoutPlaintext": keyScene("Enabled", "KeySpec", "AES_128", "NumberOfBytes", "24", "EncryptionContext", `{"a":"b"}`,
		"DryRun", "false"),
	"ReEncrypt": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		return params{
			"CiphertextBlob": h.encrypt(tb, key, "hello"), "SourceEncryptionContext": "{}",
			"DestinationKeyId": h.newKey(tb), "DestinationEncryptionContext": `{"c":"d"}`, "SourceKeyId": key, "DryRun": "false",
		}
	},
	"DescribeRegions": func(testing.TB, *harness) params { return nil },
}

// TestShape answers every action in every way a request can travel, and compares the members with the documents.
func TestShape(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, doc := range readDocuments(t).Actions {
		for _, w := range wires {
			t.Run(doc.Name+" "+w.String(), func(t *testing.T) {
				r := h.callBy(t, w, doc.Name, scenes[doc.Name](t, h))
				if r.code != "" {
					t.Fatalf("refused: %s", r.raw)
				}
				checkShape(t, doc, r, w.xml)
			})
		}
	}
}

// checkShape finds every documented member in an answer, and no other.
func checkShape(t *testing.T, doc documentedAction, r reply, xml bool) {
	t.Helper()
	documented := map[string]string{}
	for _, member := range doc.Response {
		documented[member.Path] = member.Type
		values := membersAt(r.body, strings.Split(member.Path, "."))
		for _, v := range values {
			checkMember(t, member.Path, member.Type, v, xml)
		}
		optional := strings.HasPrefix(member.Note, "only") || strings.Contains(member.Note, "; only with") || strings.HasPrefix(member.Note, "never")
		emptyList := strings.Contains(member.Path, "[]") && len(values) == 0
		if len(values) == 0 && !optional && !emptyList {
			t.Errorf("no %s in %s", member.Path, r.raw)
		}
	}
	for _, path := range membersOf("", r.body) {
		if documented[path] == "" {
			t.Errorf("undocumented member %s in %s", path, r.raw)
		}
	}
}

func checkMember(t *testing.T, path, kind string, v any, xml bool) {
	t.Helper()
	text, isText := v.(string)
	_, isNumber := v.(float64)
	switch {
	case kind == "integer" && !xml:
		if !isNumber {
			t.Errorf("%s is %T, want a number", path, v)
		}
	case !isText:
		t.Errorf("%s is %T, want text", path, v)
	case kind == "timestamp" && !strings.HasSuffix(text, "Z"):
		t.Errorf("%s is %q, want a timestamp", path, text)
	case kind == "base64":
		if _, err := base64.StdEncoding.Strict().DecodeString(text); err != nil || text == "" {
			t.Errorf("%s is no Base64", path)
		}
	}
}

// membersAt finds the values at a path such as Keys.Key[].KeyId.
func membersAt(v any, path []string) (found []any) {
	if len(path) == 0 {
		return []any{v}
	}
	object, _ := v.(map[string]any)
	name, isList := strings.CutSuffix(path[0], "[]")
	member, ok := object[name]
	if !ok {
		return nil
	}
	if !isList {
		return membersAt(member, path[1:])
	}
	items, _ := member.([]any)
	for _, item := range items {
		found = append(found, membersAt(item, path[1:])...)
	}
	return found
}

// membersOf lists the paths of an answer's members.
func membersOf(prefix string, v any) (paths []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			paths = append(paths, membersOf(strings.TrimPrefix(prefix+"."+name, "."), member)...)
		}
	case []any:
		for _, item := range v {
			paths = append(paths, membersOf(prefix+"[]", item)...)
		}
	default:
		paths = append(paths, prefix)
	}
	return paths
}

// TestParameters walks the table: every parameter of every action, absent, empty, at its limits and past them.
func TestParameters(t *testing.T) {
	h := newHarness(t, Limits{})
	for i := range Actions() {
		a := &Actions()[i]
		for _, spec := range a.Params {
			t.Run(a.Name+" "+spec.Name, func(t *testing.T) { walkParameter(t, h, a, spec) })
		}
	}
}

func walkParameter(t *testing.T, h *harness, a *Action, spec ParamSpec) {
	prepare := func(value string) params {
		p := with(scenes[a.Name](t, h), spec.Name, value)
		if spec.Unless != "" {
			delete(p, spec.Unless)
		}
		return p
	}
	missing, empty := "", ""
	if spec.Required {
		missing, empty = CodeMissingParameter, CodeMissingParameter
	}
	if spec.AllowEmpty {
		empty = ""
	}
	expect(t, h, a, spec, "absent", prepare("-"), missing)
	expect(t, h, a, spec, "empty", prepare(""), empty)
	for _, value := range badValues(spec) {
		expect(t, h, a, spec, "value "+shorten(value), prepare(value), refusalOf(spec))
	}
	for _, value := range goodValues(spec) {
		expect(t, h, a, spec, "value "+shorten(value), prepare(value), "")
	}
}

func refusalOf(spec ParamSpec) string {
	if spec.Refused != "" {
		return CodeUnsupportedOperation
	}
	return CodeInvalidParameter
}

// expect sends a request and wants a code, and the parameter named where the code is about one.
func expect(t *testing.T, h *harness, a *Action, spec ParamSpec, what string, p params, code string) {
	t.Helper()
	r := h.call(t, a.Name, p)
	if r.code != code {
		t.Errorf("%s: answered %.300q, want code %q", what, r.raw, code)
		return
	}
	for _, secret := range []string{p["Plaintext"], p["CiphertextBlob"], p["EncryptionContext"]} {
		if code != "" && len(secret) > 2 && strings.Contains(r.raw, secret) {
			t.Errorf("%s: the answer repeats what is secret: %.300q", what, r.raw)
		}
	}
	if code != "" && !strings.Contains(r.message(), spec.Name) {
		t.Errorf("%s: message %q does not name %s", what, r.message(), spec.Name)
	}
}

// badValues are values just past what a parameter may be.
func badValues(spec ParamSpec) []string {
	switch {
	case spec.Refused != "":
		return []string{"{}"}
	case spec.Name == "DKMSInstanceId":
		return []string{"kst-1"}
	case len(spec.Enum) > 0:
		return []string{"none of them", strings.ToLower(spec.Enum[0]) + "x", spec.Enum[0] + " "}
	}
	switch spec.Type {
	case TypeString:
		if spec.Max > 0 {
			return []string{strings.Repeat("é", int(spec.Max)+1), "bell\a"}
		}
		return []string{"bell\a"}
	case TypeInteger:
		bad := []string{decimal(spec.Min - 1), "1.0", "+7", " 7", "seven", "99999999999999999999"}
		if spec.Max > 0 {
			bad = append(bad, decimal(spec.Max+1))
		}
		return bad
	case TypeBoolean:
		return []string{"yes", "1"}
	case TypeBase64:
		return []string{
			base64.StdEncoding.EncodeToString(make([]byte, DefaultPlaintext+1)), "aGVsbG8", "aGVs\nbG8=", "aGVsbG8=\r\n", "aGVs bG8=", "aGVsbG9=", "a-_=", "====",
		}
	case TypeDuration:
		return []string{"6d", "604799s", "731d", "63072001s", "30", "d", "030d", "30w", "-30d", "30D", "1.5d", "99999999999999d"}
	case TypeContext:
		return []string{`{"a":"` + strings.Repeat("x", 8192) + `"}`, "[]", `{"a":1}`}
	case TypeJSON:
		return []string{"{", "7", `"text"`}
	case TypeAliasName:
		return []string{"alias/", "alias/" + strings.Repeat("x", 256), "alias/a b", "alias/ä", "name", "Alias/x", "alias/acs/x", "alias/acsx", "acs:kms:cn-hangzhou:1234567890123456:alias/x"}
	}
	return nil
}

// goodValues are values just within what a parameter may be.
func goodValues(spec ParamSpec) []string {
	switch {
	case len(spec.Enum) > 0 || spec.Refused != "":
		return nil
	}
	switch spec.Type {
	case TypeString:
		if spec.Max > 0 {
			return []string{strings.Repeat("é", int(spec.Max)), "tab\tand\r\nlines & <tags> \"quotes\""}
		}
	case TypeInteger:
		good := []string{decimal(spec.Min)}
		if spec.Max > 0 {
			return append(good, decimal(spec.Max))
		}
		return append(good, "2147483647")
	case TypeBoolean:
		return []string{"TRUE", "True", "true", "false", "FALSE"}
	case TypeBase64:
		return []string{"AA==", base64.StdEncoding.EncodeToString(make([]byte, DefaultPlaintext))}
	case TypeDuration:
		return []string{"7d", "604800s", "168h", "10080m", "730d", "63072000s"}
	case TypeAliasName:
		return nil // an alias is good once; see TestAliasNames
	}
	return nil
}

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
		if a := &Actions()[i]; !seen[a.Name] && !slices.Contains([]string{"CreateKey", "ListAliases", "DescribeRegions"}, a.Name) {
			t.Errorf("the state matrix says nothing of %s", a.Name)
		}
	}
}

func checkStateRule(t *testing.T, h *harness, action, state, code string) {
	p := scenes[action](t, h)
	key := ""
	opens := action == "Decrypt" || action == "ReEncrypt"
	switch {
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
	id, ok := crypto.ParseKeyID(key)
	if !ok {
		tb.Fatalf("%q is no key id", key)
	}
	x, err := crypto.NewXAES(crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	if err != nil {
		tb.Fatal(err)
	}
	header := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: testRegionID, KeyID: id, VersionID: crypto.NewVersionID()}
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
	}
}
