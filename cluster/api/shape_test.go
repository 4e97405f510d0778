package api

import (
	"encoding/base64"
	"strings"
	"testing"
)

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
