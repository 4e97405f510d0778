package api

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// documents is the description of the API that the table has to agree with: testdata/actions.json.
type documents struct {
	Actions []documentedAction
	States  []map[string]any `json:"state_matrix"`
}

type documentedAction struct {
	Name     string
	Kind     string
	Later    bool
	Params   []documentedParam
	Response []struct{ Path, Type, Note string }
	Errors   []struct{ Code string }
	RAM      struct{ Action, Resource any }
}

type documentedParam struct {
	Name        string
	Type        string
	Required    bool
	Default     any
	Constraints struct {
		Enum         []string
		Min, Max     any
		MinBytes     int64 `json:"min_bytes"`
		MaxBytes     int64 `json:"max_bytes"`
		SettingLimit int64 `json:"max_bytes_setting_limit"`
		MaxTextBytes int64 `json:"max_text_bytes"`
		MaxChars     int64 `json:"max_chars"`
		MaxItems     int64 `json:"max_items"`
		Bytes        int64
		AllowEmpty   bool `json:"allow_empty"`
		Forms        []string
	}
}

func readDocuments(tb testing.TB) documents {
	tb.Helper()
	data, err := os.ReadFile("testdata/actions.json")
	if err != nil {
		tb.Fatal(err)
	}
	var d documents
	if err := json.Unmarshal(data, &d); err != nil {
		tb.Fatal(err)
	}
	d.Actions = slices.DeleteFunc(d.Actions, func(a documentedAction) bool { return a.Later })
	return d
}

func TestTableAgreesWithDocuments(t *testing.T) {
	d := readDocuments(t)
	if len(d.Actions) != len(Actions()) {
		t.Errorf("the table has %d actions, the documents %d", len(Actions()), len(d.Actions))
	}
	for _, doc := range d.Actions {
		t.Run(doc.Name, func(t *testing.T) {
			a, refusal := lookupAction(KMSVersion, doc.Name)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if a.Kind.String() != doc.Kind {
				t.Errorf("kind %s, documented %s", a.Kind, doc.Kind)
			}
			compareParams(t, a, doc)
			compareAnswers(t, a, doc)
			compareErrors(t, a, doc)
			comparePermissions(t, a, doc)
		})
	}
}

func compareParams(t *testing.T, a *Action, doc documentedAction) {
	t.Helper()
	if len(a.Params) != len(doc.Params) {
		t.Fatalf("%d parameters, documented %d", len(a.Params), len(doc.Params))
	}
	for i, p := range doc.Params {
		spec := a.Params[i]
		if spec.Name != p.Name || spec.Type.String() != p.Type {
			t.Errorf("parameter %d is %s %s, documented %s %s", i, spec.Name, spec.Type, p.Name, p.Type)
			continue
		}
		if spec.Required && spec.OnlyIf == "" != p.Required {
			t.Errorf("%s: required is %v, documented %v", p.Name, spec.Required, p.Required)
		}
		c := p.Constraints
		low, high := documentedLimits(t, p)
		if spec.Min != low || spec.Max != high {
			t.Errorf("%s: limits %d to %d, documented %d to %d", p.Name, spec.Min, spec.Max, low, high)
		}
		otherName := doc.Name == "GetKeyPolicy" && spec.Name == paramPolicyName // is not a wrong value but no policy
		if !slices.Equal(spec.Enum, c.Enum) && !otherName {
			t.Errorf("%s: values %v, documented %v", p.Name, spec.Enum, c.Enum)
		}
		if spec.AllowEmpty != c.AllowEmpty {
			t.Errorf("%s: empty allowed is %v, documented %v", p.Name, spec.AllowEmpty, c.AllowEmpty)
		}
		if p.Type == "key-id" && spec.Alias != slices.Contains(c.Forms, "alias-name") {
			t.Errorf("%s: alias allowed is %v, documented forms %v", p.Name, spec.Alias, c.Forms)
		}
		if p.Default != nil && p.Default != false && spec.Default != jsonText(p.Default) {
			t.Errorf("%s: default %q, documented %v", p.Name, spec.Default, p.Default)
		}
	}
}

// jsonText is a default as the table writes it.
func jsonText(v any) string {
	if n, ok := v.(float64); ok {
		return strconv.FormatInt(int64(n), 10)
	}
	text, _ := v.(string)
	return text
}

// documentedLimits are the limits of a parameter in the unit of the table.
func documentedLimits(t *testing.T, p documentedParam) (low, high int64) {
	t.Helper()
	c := p.Constraints
	switch p.Type {
	case "duration":
		lowest, ok1 := parseDuration(c.Min.(string))
		highest, ok2 := parseDuration(c.Max.(string))
		if !ok1 || !ok2 {
			t.Fatalf("%s: limits %v to %v", p.Name, c.Min, c.Max)
		}
		return int64(lowest.Seconds()), int64(highest.Seconds())
	case "list", "list-of-struct":
		return 0, c.MaxItems
	case "json":
		return 0, max(c.MaxTextBytes, c.MaxBytes)
	case "integer", "long":
		lowest, _ := c.Min.(float64)
		highest, _ := c.Max.(float64)
		return int64(lowest), int64(highest)
	}
	if c.Bytes > 0 {
		return c.Bytes, c.Bytes
	}
	return c.MinBytes, max(c.SettingLimit, c.MaxTextBytes, c.MaxChars, c.MaxBytes)
}

// compareAnswers compares the members, but for RequestId, which every answer has, and those that are never sent.
func compareAnswers(t *testing.T, a *Action, doc documentedAction) {
	t.Helper()
	want, have := map[string]string{}, map[string]string{}
	for _, m := range doc.Response {
		if m.Path != "RequestId" && !strings.HasPrefix(m.Note, "never") {
			want[m.Path] = m.Type
		}
	}
	for _, m := range a.Answers {
		have[m.Path] = m.Type
	}
	if !maps.Equal(want, have) {
		t.Errorf("answers %v, documented %v", have, want)
	}
}

func compareErrors(t *testing.T, a *Action, doc documentedAction) {
	t.Helper()
	want := map[string]bool{}
	for _, e := range doc.Errors {
		want[e.Code] = true
	}
	have := map[string]bool{}
	for _, code := range a.Errors {
		have[code] = true
		if _, ok := errorKinds[code]; !ok {
			t.Errorf("error %s is in no table", code)
		}
	}
	if !maps.Equal(want, have) {
		t.Errorf("errors %v, documented %v", slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
	}
}

func comparePermissions(t *testing.T, a *Action, doc documentedAction) {
	t.Helper()
	actions, resources := texts(doc.RAM.Action), texts(doc.RAM.Resource)
	if len(a.RAM) != len(resources) {
		t.Fatalf("%d permissions, documented %v on %v", len(a.RAM), actions, resources)
	}
	forms := map[Resource]string{ResourceKeys: "key", ResourceKey: "key/KEYID", ResourceAliases: "alias", ResourceAlias: "alias/NAME", ResourceAll: "*"}
	for i, need := range a.RAM {
		action := actions[min(i, len(actions)-1)]
		if resource := strings.Replace(strings.TrimPrefix(resources[i], "acs:kms:REGION:ACCOUNT:"), "key/*", "key/KEYID", 1); need.Action != action || forms[need.Resource] != resource {
			t.Errorf("needs %s on %s, documented %s on %s", need.Action, forms[need.Resource], action, resource)
		}
	}
}

// texts reads null, a text or a list of texts.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, text := range v {
			all = append(all, text.(string))
		}
	}
	return all
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct{ version, name, code string }{
		{KMSVersion, "Encrypt", ""},
		{KMSVersion, "encrypt", CodeInvalidActionNotFound},
		{KMSVersion, "", CodeInvalidActionNotFound},
		{KMSVersion, "CreateSecret", CodeInvalidActionNotFound},
		{"2015-05-01", "Encrypt", CodeInvalidVersion},
		{"", "Encrypt", CodeInvalidVersion},
	} {
		a, refusal := lookupAction(tt.version, tt.name)
		if tt.code == "" && (refusal != nil || a.Name != tt.name) {
			t.Errorf("lookupAction(%q, %q): %v, %v", tt.version, tt.name, a, refusal)
		}
		if tt.code != "" && (refusal == nil || refusal.Code != tt.code) {
			t.Errorf("lookupAction(%q, %q): %v, want %s", tt.version, tt.name, refusal, tt.code)
		}
	}
}
