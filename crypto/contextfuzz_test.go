package crypto

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

// naiveContext reads a context with encoding/json and patches, one by one, what that package lets through.
func naiveContext(text []byte) (map[string]string, bool) {
	m := map[string]string{}
	if len(text) == 0 {
		return m, true
	}
	if len(text) > 8192 || !utf8.Valid(text) || !json.Valid(text) || loneSurrogate(string(text)) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil || name == "" {
			return nil, false
		}
		value, err := d.Token()
		text, ok := value.(string)
		if err != nil || !ok {
			return nil, false
		}
		if _, given := m[name.(string)]; given {
			return nil, false
		}
		m[name.(string)] = text
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	return m, true
}

// loneSurrogate looks for a half of a surrogate pair in the escapes of valid JSON.
func loneSurrogate(text string) bool {
	text = strings.ToLower(strings.ReplaceAll(text, `\\`, "__")) // what is left of a backslash escapes
	half := func(s string, from, to byte) bool {
		return len(s) >= 6 && s[0] == '\\' && s[1] == 'u' && s[2] == 'd' && s[3] >= from && s[3] <= to
	}
	for i := 0; i < len(text); i++ {
		switch {
		case half(text[i:], '8', 'b') && half(text[i+6:], 'c', 'f'):
			i += 11
		case half(text[i:], '8', 'b'), half(text[i:], 'c', 'f'):
			return true
		}
	}
	return false
}

func FuzzParseContext(f *testing.F) {
	f.Add([]byte(`{"a":"1","b":"2"}`))
	f.Add([]byte(`{"\ud83d\ude00":"\\\ud83d\\ude00"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		c, err := ParseContext(text)
		if !bytes.Equal(text, before) {
			t.Fatal("the text was changed")
		}
		want, ok := naiveContext(text)
		if ok != (err == nil) {
			t.Fatalf("%q: %v, but encoding/json and patches say accepted=%v", text, err, ok)
		}
		if err != nil {
			return
		}
		if got := contextMap(c); !maps.Equal(got, want) {
			t.Fatalf("%q: read %q, encoding/json reads %q", text, got, want)
		}
		header := "any header"
		if got, want := appendBlobAAD(nil, []byte(header), c), referenceBlobAAD(header, want); !bytes.Equal(got, want) {
			t.Fatalf("%q: AAD %q, by the specification %q", text, got, want)
		}
		// Encoded again by other software, it is the same context.
		other, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if len(other) > MaxContextBytes {
			return
		}
		if again, err := ParseContext(other); err != nil || !again.Equal(c) {
			t.Fatalf("%q encoded again as %q: %v, equal %v", text, other, err, again.Equal(c))
		}
		if again, err := NewContext(c.Pairs()); err != nil || !again.Equal(c) {
			t.Fatalf("%q from its pairs: %v, equal %v", text, err, again.Equal(c))
		}
	})
}
