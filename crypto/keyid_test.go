package crypto

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestKeyIDText(t *testing.T) {
	const text = "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73"
	id, ok := ParseKeyID(text)
	if !ok || id.String() != text {
		t.Errorf("%s parses to %s, %v", text, id, ok)
	}
	if upper, ok := ParseKeyID(strings.ToUpper(text)); !ok || upper != id {
		t.Errorf("in upper case it parses to %s, %v", upper, ok)
	}
	if got := string(id.AppendTo([]byte("key/"))); got != "key/"+text {
		t.Errorf("AppendTo = %s", got)
	}
	if got, err := json.Marshal(id); err != nil || string(got) != `"`+text+`"` {
		t.Errorf("JSON = %s, %v", got, err)
	}
	if version, ok := ParseVersionID(text); !ok || version.String() != text || version != VersionID(id) {
		t.Errorf("as a version it parses to %s, %v", version, ok)
	}
	if id.IsZero() || !(KeyID{}).IsZero() || !(VersionID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestParseKeyIDRefused(t *testing.T) {
	for _, text := range []string{
		"", "08c33a6f", "08c33a6f4e0a4a1ba3fa7ddfa1d4fb73", "{08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73}", "urn:uuid:08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
		"08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb7", "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb733", "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb7g",
		"08c33a6f-4e0a-4a1b-a3fa 7ddfa1d4fb73", "08c33a6-f4e0a-4a1b-a3fa-7ddfa1d4fb73", "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb7\x00",
	} {
		if id, ok := ParseKeyID(text); ok || id != (KeyID{}) {
			t.Errorf("%q was taken as %s", text, id)
		}
	}
}

func TestNewIDs(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 500 {
		for _, text := range []string{NewKeyID().String(), NewVersionID().String()} {
			if !form.MatchString(text) || seen[text] {
				t.Fatalf("%s is no new UUID of version 4", text)
			}
			seen[text] = true
		}
	}
}

func FuzzParseKeyID(f *testing.F) {
	f.Add("08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73")
	f.Add("08C33A6F-4E0A-4A1B-A3FA-7DDFA1D4FB73")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := ParseKeyID(text)
		if ok != regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z`).MatchString(text) {
			t.Fatalf("%q: taken=%v", text, ok)
		}
		if ok && id.String() != strings.ToLower(text) {
			t.Fatalf("%q: is written again as %s", text, id)
		}
	})
}
