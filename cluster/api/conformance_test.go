package api

import (
	"encoding/base64"
	"fmt"
	"maps"
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
			"Policy": testPolicy,
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
	"SetDeletionProtection": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		return params{
			"KeyId": key, "ProtectedResourceArn": h.ok(tb, "DescribeKey", params{"KeyId": key}).text("KeyMetadata.Arn"),
			"EnableDeletionProtection": "true", "DeletionProtectionDescription": "keep",
		}
	},
	"UpdateRotationPolicy": keyScene("Enabled", "EnableAutomaticRotation", "true", "RotationInterval", "30d"),
	"CreateKeyVersion":     keyScene("Enabled"),
	"DescribeKeyVersion": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		return params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key)}
	},
	"ListKeyVersions": keyScene("Enabled", "PageNumber", "1", "PageSize", "10"),
	"ExportDataKey": func(tb testing.TB, h *harness) params {
		return params{
			"CiphertextBlob": h.encrypt(tb, h.newKey(tb), "hello"), "EncryptionContext": "{}", "DryRun": "false",
			"PublicKeyBlob": testPublicKey(tb), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
		}
	},
	"GenerateAndExportDataKey": func(tb testing.TB, h *harness) params {
		return params{
			"KeyId": h.newKey(tb), "KeySpec": "AES_128", "NumberOfBytes": "24", "EncryptionContext": `{"a":"b"}`, "DryRun": "false",
			"PublicKeyBlob": testPublicKey(tb), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
		}
	},
	"AsymmetricEncrypt": pairScene("EC_SM2", usageEncrypt, "SM2PKE", func(testing.TB, *harness, params) params {
		return params{"Plaintext": "aGVsbG8="}
	}),
	"AsymmetricDecrypt": pairScene("EC_SM2", usageEncrypt, "SM2PKE", func(tb testing.TB, h *harness, p params) params {
		return params{"CiphertextBlob": h.ok(tb, "AsymmetricEncrypt", with(p, "Plaintext", "aGVsbG8=")).text("CiphertextBlob")}
	}),
	"AsymmetricSign": pairScene("EC_P256", usageSign, "ECDSA_SHA_256", func(testing.TB, *harness, params) params {
		return params{"Digest": testDigest}
	}),
	"AsymmetricVerify": pairScene("EC_P256", usageSign, "ECDSA_SHA_256", func(tb testing.TB, h *harness, p params) params {
		return params{"Digest": testDigest, "Value": h.ok(tb, "AsymmetricSign", with(p, "Digest", testDigest)).text("Value")}
	}),
	"GetPublicKey": func(tb testing.TB, h *harness) params {
		key := h.newKeyOf(tb, "EC_P256", "")
		return params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key), "DryRun": "false"}
	},
	"GetParametersForImport": keyScene("PendingImport", "WrappingAlgorithm", "RSAES_OAEP_SHA_256", "WrappingKeySpec", "RSA_2048"),
	"ImportKeyMaterial": func(tb testing.TB, h *harness) params {
		return h.importParams(tb, h.keyIn(tb, "PendingImport"), "RSAES_OAEP_SHA_256", testMaterial, "KeyMaterialExpireUnix", "4102444800")
	},
	"DeleteKeyMaterial": func(tb testing.TB, h *harness) params { return params{"KeyId": h.importedKey(tb)} },
	"TagResource":       keyScene("Enabled", "Tags", `[{"TagKey":"team","TagValue":"orders"}]`),
	"UntagResource":     keyScene("Enabled", "TagKeys", `["team"]`),
	"ListResourceTags": func(tb testing.TB, h *harness) params {
		key := h.newKey(tb)
		h.ok(tb, "TagResource", params{"KeyId": key, "Tags": `[{"TagKey":"team","TagValue":"orders"}]`})
		return params{"KeyId": key}
	},
	"TagResources": tagScene,
	"UntagResources": func(tb testing.TB, h *harness) params {
		return params{"RegionId": testRegionID, "ResourceType": "key", "ResourceId.1": h.newKey(tb), "TagKey.1": "team", "All": "true"}
	},
	"ListTagResources": func(tb testing.TB, h *harness) params {
		p := tagScene(tb, h)
		h.ok(tb, "TagResources", p)
		return p
	},
	"GetKeyPolicy":             keyScene("Enabled", "PolicyName", "default"),
	"SetKeyPolicy":             keyScene("Enabled", "PolicyName", "default", "Policy", testPolicy),
	"DescribeAccountKmsStatus": func(testing.TB, *harness) params { return nil },
	"OpenKmsService":           func(testing.TB, *harness) params { return nil },
	"GetRandomPassword": func(testing.TB, *harness) params {
		return params{
			"PasswordLength": "20", "ExcludeLowercase": "false", "ExcludeUppercase": "true", "ExcludeNumbers": "false", "ExcludePunctuation": "true",
			"ExcludeCharacters": "aeiou", "RequireEachIncludedType": "true",
		}
	},
}

// alwaysRefused are the actions that have no answer but an error.
var alwaysRefused = map[string]string{"OpenKmsService": CodeForbiddenOpened}

// What scenes send.
const (
	testPolicy   = `{"Version":"1","Statement":[{"Effect":"Allow","Principal":{"RAM":["acs:ram::1:root"]},"Action":["kms:*"],"Resource":["*"]}]}`
	testDigest   = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" // SHA-256 of hello
	testMaterial = "0123456789abcdef0123456789abcdef"
)

func tagScene(tb testing.TB, h *harness) params {
	return params{"RegionId": testRegionID, "ResourceType": "key", "ResourceId.1": h.newKey(tb), "Tag.1.Key": "team", "Tag.1.Value": "orders"}
}

// pairScene is a key pair of its own with the parameters that every asymmetric action has, and those that it adds.
func pairScene(spec, usage, algorithm string, more func(testing.TB, *harness, params) params) scene {
	return func(tb testing.TB, h *harness) params {
		key := h.newKeyOf(tb, spec, usage)
		p := params{"KeyId": key, "KeyVersionId": h.newestVersion(tb, key), "Algorithm": algorithm}
		maps.Copy(p, more(tb, h, p))
		return with(p, "DryRun", "false")
	}
}

// TestShape answers every action in every way a request can travel, and compares the members with the documents.
func TestShape(t *testing.T) {
	h := newHarness(t, Limits{})
	for _, doc := range readDocuments(t).Actions {
		for _, w := range wires {
			t.Run(doc.Name+" "+w.String(), func(t *testing.T) {
				r := h.callBy(t, w, doc.Name, scenes[doc.Name](t, h))
				if r.code != alwaysRefused[doc.Name] {
					t.Fatalf("refused: %s", r.raw)
				}
				if r.code != "" {
					return
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
		optional := strings.HasPrefix(member.Note, "only") || strings.Contains(member.Note, "; only with") || strings.HasPrefix(member.Note, "never") ||
			strings.HasPrefix(member.Note, "absent")
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
	_, isBool := v.(bool)
	switch {
	case kind == "boolean" && !xml:
		if !isBool {
			t.Errorf("%s is %T, want true or false", path, v)
		}
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
	if spec.Type == TypeList || spec.Type == TypeStructList {
		walkList(t, h, a, spec)
		return
	}
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
	if spec.Name == "KeyId" && (a.Name == "TagResource" || a.Name == "UntagResource") {
		missing, empty = CodeMissingParameter, CodeMissingParameter // one of three, of which only it is served
	}
	expect(t, h, a, spec, "absent", prepare("-"), missing)
	expect(t, h, a, spec, "empty", prepare(""), empty)
	for _, value := range badValues(spec) {
		expect(t, h, a, spec, "value "+shorten(value), prepare(value), refusalOf(a, spec))
	}
	for _, value := range goodValues(spec) {
		if a.Name == "GenerateAndExportDataKey" && spec.Name == "NumberOfBytes" {
			value = decimal(min(spec.Max, 190)) // more does not fit the public key: see TestExportFits
		}
		expect(t, h, a, spec, "value "+shorten(value), prepare(value), "")
	}
}

func refusalOf(a *Action, spec ParamSpec) string {
	switch {
	case spec.Refused != "":
		return CodeUnsupportedOperation
	case a.Name == "SetKeyPolicy" && spec.Name == "Policy":
		return CodeMalformedPolicyDocument
	}
	return CodeInvalidParameter
}

// walkList sends a numbered list absent, with an empty entry, with a gap, not numbered, at its limit and one past it.
func walkList(t *testing.T, h *harness, a *Action, spec ParamSpec) {
	whole := scenes[a.Name](t, h)
	p := maps.Clone(whole)
	maps.DeleteFunc(p, func(name, _ string) bool { return strings.HasPrefix(name, spec.Name+".") })
	missing := ""
	if spec.Required {
		missing = CodeMissingParameter
	}
	expect(t, h, a, spec, "absent", p, missing)
	expect(t, h, a, spec, "not numbered", with(whole, spec.Name, "x"), CodeInvalidParameter)
	fill := func(p params, from, to int64) params {
		p = maps.Clone(p)
		for i := from; i <= to; i++ {
			n := spec.Name + "." + decimal(i)
			switch spec.Name {
			case "Tag":
				p[n+".Key"], p[n+".Value"] = "team"+decimal(i), "x"
			case "ResourceId":
				p[n] = h.newKey(t)
			default:
				p[n] = "team" + decimal(i)
			}
		}
		return p
	}
	expect(t, h, a, spec, "a gap", fill(p, 2, 2), CodeInvalidParameter)
	expect(t, h, a, spec, "from zero", fill(p, 0, 1), CodeInvalidParameter)
	expect(t, h, a, spec, "at its limit", fill(p, 1, spec.Max), "")
	expect(t, h, a, spec, "one past its limit", fill(p, 1, spec.Max+1), CodeInvalidParameter)
	field := ""
	if spec.Type == TypeStructList {
		field = ".Key"
		expect(t, h, a, spec, "a field that is none", with(fill(p, 1, 1), spec.Name+".1.Colour", "red"), CodeInvalidParameter)
	}
	expect(t, h, a, spec, "an empty entry", with(fill(p, 1, 2), spec.Name+".2"+field, ""), CodeInvalidParameter)
}

// expect sends a request and wants a code, and the parameter named where the code is about one.
func expect(t *testing.T, h *harness, a *Action, spec ParamSpec, what string, p params, code string) {
	t.Helper()
	r := h.call(t, a.Name, p)
	if code == "" {
		code = alwaysRefused[a.Name]
	}
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
	case spec.Unserved != "":
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
	case TypeVersionID:
		return []string{"x", "2AB1A983-7072-4BBC-A582-584B5BD8A8F6", "2ab1a98370724bbca582584b5bd8a8f6"}
	case TypeInteger, TypeLong:
		bad := []string{decimal(spec.Min - 1), "1.0", "+7", " 7", "seven", "99999999999999999999"}
		if spec.Max > 0 {
			bad = append(bad, decimal(spec.Max+1))
		}
		return bad
	case TypeBoolean:
		return []string{"yes", "1"}
	case TypeBase64:
		bad := []string{"aGVsbG8", "aGVs\nbG8=", "aGVsbG8=\r\n", "aGVs bG8=", "aGVsbG9=", "a-_=", "===="}
		if spec.Max > 0 {
			bad = append(bad, zeros(highest(spec)+1))
		}
		if spec.Min > 1 {
			bad = append(bad, zeros(spec.Min-1))
		}
		return bad
	case TypeDuration:
		return []string{"6d", "604799s", "731d", "63072001s", "30", "d", "030d", "30w", "-30d", "30D", "1.5d", "99999999999999d"}
	case TypeContext:
		return []string{`{"a":"` + strings.Repeat("x", 8192) + `"}`, "[]", `{"a":1}`}
	case TypeJSON:
		bad := []string{"{", "7", `"text"`}
		return bad
	case TypeAliasName:
		return []string{"alias/", "alias/" + strings.Repeat("x", 256), "alias/a b", "alias/ä", "name", "Alias/x", "alias/acs/x", "alias/acsx", "acs:kms:cn-hangzhou:1234567890123456:alias/x"}
	}
	return nil
}

// zeros is so many bytes in Base64.
func zeros(n int64) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

// highest is the limit of a parameter as the harness is set.
func highest(spec ParamSpec) int64 {
	if spec.Max == MaxPlaintext {
		return DefaultPlaintext
	}
	return spec.Max
}

// goodValues are values just within what a parameter may be.
func goodValues(spec ParamSpec) []string {
	switch {
	case len(spec.Enum) > 0 || spec.Refused != "" || spec.Unserved != "":
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
		if spec.Max > 0 {
			return []string{zeros(spec.Min), zeros(highest(spec))}
		}
	case TypeLong:
		return []string{decimal(spec.Min)}
	case TypeDuration:
		return []string{"7d", "604800s", "168h", "10080m", "730d", "63072000s"}
	case TypeAliasName:
		return nil // an alias is good once; see TestAliasNames
	}
	return nil
}

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
