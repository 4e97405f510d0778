package migrate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzSplitObject(f *testing.F) {
	for _, seed := range []string{`{}`, ` { "a" : 1 , "b":[1,{"x":"}"}] }`, `{"a":"\"},","b":null}`, `{"a":1,"\u0061":2}`, `[]`, `{"a"`, `{"":{}}`, "{\"a\":1}\n", `{"a":-0.5e+7,"b":[true,false,null]}`, `{"a":01}`, `{"a":"\u12g4"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var o object
		reason := o.split(line)
		members := o.members
		if valid := json.Valid(line); valid != (reason != notJSON) {
			t.Fatalf("%q: %q, and encoding/json says %v", line, reason, valid)
		}
		var want map[string]json.RawMessage
		err := json.Unmarshal(line, &want)
		if reason != "" {
			return
		}
		if err != nil || want == nil || len(members) != len(want) {
			t.Fatalf("%q: %d members, encoding/json finds %d (%v)", line, len(members), len(want), err)
		}
		for _, m := range members {
			if !bytes.Equal(m.value, want[string(m.name)]) || !bytes.Equal(line[m.from:m.to], m.value) {
				t.Errorf("%q: member %q is %q, want %q", line, m.name, m.value, want[string(m.name)])
			}
		}
	})
}

func TestSplitObjectRefuses(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	for text, reason := range map[string]string{
		deep(maxDepth - 1): "", deep(maxDepth): "it is not valid JSON",
		``: "it is not valid JSON", `[1]`: "it is not a JSON object", `"x"`: "it is not a JSON object", `{"a":1,"a":2}`: "it has a member twice",
		`{"a":1} {}`: "it is not valid JSON", `{'a':1}`: "it is not valid JSON", `null`: "it is not a JSON object",
	} {
		if got := new(object).split([]byte(text)); got != reason {
			t.Errorf("%.100s: %q, want %q", text, got, reason)
		}
	}
}

// Every byte at every place of a text, alone and behind another that a word stops at, is taken as encoding/json takes it.
func TestEveryByteOfAText(t *testing.T) {
	for place := range 20 {
		for b := range 256 {
			for _, other := range []byte{'a', '/', ' ', 0x7f, 0x80, 0x01} {
				text := []byte(`{"n":"` + strings.Repeat("a", 20) + `"}`)
				text[6+place], text[6+(place+1)%20] = byte(b), other
				var o object
				if valid, reason := json.Valid(text), o.split(text); valid != (reason != notJSON) {
					t.Fatalf("%q: %q, and encoding/json says %v", text, reason, valid)
				} else if !valid {
					continue
				}
				m, ascii := o.members[0], b < 0x80 && other < 0x80 && b != '\\'
				if got := m.to - m.from; m.plain != ascii && b != '"' || got != 22 && b != '"' {
					t.Fatalf("%q: plain %v, %d bytes", text, m.plain, got)
				}
			}
		}
	}
}
