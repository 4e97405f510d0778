package api

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
)

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
