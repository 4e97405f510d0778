package crypto

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func contextMap(c Context) map[string]string {
	m := map[string]string{}
	for _, p := range c.Pairs() {
		m[p.Name] = p.Value
	}
	return m
}

func TestContextTextsOfOneMapAreEqual(t *testing.T) {
	for _, texts := range [][]string{
		{``, `{}`, " {\n\t} \r"},
		{`{"a":"1","b":"2"}`, `{"b":"2","a":"1"}`, " { \"b\" :\t\"2\" ,\r\n\"a\":\"1\"\n} ", `{"\u0061":"\u0031","b":"\u0032"}`},
		{`{"n":"a&b<c>"}`, `{"n":"a\u0026b\u003cc\u003e"}`, `{"n":"a\u0026b\u003Cc\u003E"}`},
		{`{"n":"/"}`, `{"n":"\/"}`},
		{`{"n":"\b\f\n\r\t\"\\"}`, `{"n":"\u0008\u000c\u000a\u000d\u0009\u0022\u005c"}`},
		{`{"n":"😀é"}`, `{"n":"\ud83d\ude00\u00e9"}`, `{"n":"\uD83D\uDE00\u00E9"}`},
		{`{"n":""}`, `{"\u006e" : "" }`},
		{`{"n":"` + "\ufffd" + `"}`, `{"n":"\ufffd"}`},
		{`{"n":"\u0000"}`},
	} {
		first, err := ParseContext([]byte(texts[0]))
		if err != nil {
			t.Errorf("%q: %v", texts[0], err)
		}
		for _, text := range texts[1:] {
			c, err := ParseContext([]byte(text))
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			if !c.Equal(first) || string(c.appendTo(nil)) != string(first.appendTo(nil)) {
				t.Errorf("%q and %q are different contexts", text, texts[0])
			}
		}
	}
}

func TestContextsOfDifferentMapsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, text := range []string{
		`{}`, `{"a":"b"}`, `{"ab":""}`, `{"a":"b","c":"d"}`, `{"a":"bcd"}`, `{"a":"b\u0000\u0000\u0000\u0001c"}`,
		`{"A":"b"}`, `{"a":"B"}`, `{"a":"b "}`, `{" a":"b"}`,
		"{\"a\":\"\u00e9\"}", "{\"a\":\"e\u0301\"}", // composed and decomposed: no normalisation
		`{"b":"a"}`, `{"a":""}`, `{"a":"null"}`,
	} {
		c, err := ParseContext([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		canonical := string(c.appendTo(nil))
		if other, ok := seen[canonical]; ok {
			t.Errorf("%q and %q are one context", text, other)
		}
		seen[canonical] = text
	}
}

func TestContextRefused(t *testing.T) {
	for _, test := range []struct{ text, reason string }{
		{` `, ReasonNotObject},
		{`null`, ReasonNotObject},
		{`[]`, ReasonNotObject},
		{`"a"`, ReasonNotObject},
		{`1`, ReasonNotObject},
		{"\ufeff{}", ReasonNotObject},
		{`{`, ReasonSyntax},
		{`{"`, ReasonSyntax},
		{`{"a`, ReasonSyntax},
		{`{"a"`, ReasonSyntax},
		{`{"a":`, ReasonSyntax},
		{`{"a":"`, ReasonSyntax},
		{`{"a":"b"`, ReasonSyntax},
		{`{"a":"b",`, ReasonSyntax},
		{`{"a":"b",}`, ReasonSyntax},
		{`{,}`, ReasonSyntax},
		{`{"a":"b" "c":"d"}`, ReasonSyntax},
		{`{"a","b"}`, ReasonSyntax},
		{`{a:"b"}`, ReasonSyntax},
		{`{'a':'b'}`, ReasonSyntax},
		{`{1:"b"}`, ReasonSyntax},
		{`{"a":b}`, ReasonSyntax},
		{`{"a":"\x"}`, ReasonSyntax},
		{`{"a":"\u12"}`, ReasonSyntax},
		{`{"a":"\u12g4"}`, ReasonSyntax},
		{`{"a":"\`, ReasonSyntax},
		{`{"a":"\"}`, ReasonSyntax},
		{"{\"a\":\"\n\"}", ReasonSyntax},
		{"{\"a\":\"\\n\n\"}", ReasonSyntax},
		{"{\"a\":\"\x00\"}", ReasonSyntax},
		{"{\"a\":\v\"b\"}", ReasonSyntax},
		{`{"a":null}`, ReasonNotString},
		{`{"a":true}`, ReasonNotString},
		{`{"a":1}`, ReasonNotString},
		{`{"a":-1}`, ReasonNotString},
		{`{"a":["b"]}`, ReasonNotString},
		{`{"a":{"b":"c"}}`, ReasonNotString},
		{`{"a":"b","c":2}`, ReasonNotString},
		{`{"":"b"}`, ReasonEmptyName},
		{`{"a":"b","":""}`, ReasonEmptyName},
		{`{"a":"b","a":"b"}`, ReasonDuplicate},
		{`{"a":"b","c":"d","\u0061":"e"}`, ReasonDuplicate},
		{`{"a":"\ud83d"}`, ReasonLoneSurrogate},
		{`{"a":"\ude00"}`, ReasonLoneSurrogate},
		{`{"a":"\ude00\ud83d"}`, ReasonLoneSurrogate},
		{`{"a":"\ud83d\ud83d\ude00"}`, ReasonLoneSurrogate},
		{`{"a":"\ud83dx"}`, ReasonLoneSurrogate},
		{`{"a":"\ud83d\n"}`, ReasonLoneSurrogate},
		{`{"a":"\ud83d\u0041"}`, ReasonLoneSurrogate},
		{`{"\udfff":"b"}`, ReasonLoneSurrogate},
		{"{\"a\":\"\xff\"}", ReasonNotUTF8},
		{"{\"a\":\"\xed\xa0\x80\"}", ReasonNotUTF8}, // a surrogate in UTF-8 clothes
		{"{\"a\":\"\xc0\x80\"}", ReasonNotUTF8},     // an overlong NUL
		{"{\"a\xc3\":\"b\"}", ReasonNotUTF8},
		{`{}{}`, ReasonTrailing},
		{`{} x`, ReasonTrailing},
		{`{"a":"b"}}`, ReasonTrailing},
		{"{}\x00", ReasonTrailing},
	} {
		c, err := ParseContext([]byte(test.text))
		var refused *ContextError
		if !errors.As(err, &refused) || refused.Reason != test.reason {
			t.Errorf("%q: %v; refuse it because of %q", test.text, err, test.reason)
		}
		if !c.Empty() {
			t.Errorf("%q: was refused and yet gives a context", test.text)
		}
	}
}

func TestContextErrorRepeatsNothing(t *testing.T) {
	for _, text := range []string{`{"topsecret":"topsecret","topsecret":"topsecret"}`, `{"topsecret":topsecret}`, `topsecret`, `{"topsecret":"topsecret\x"}`} {
		_, err := ParseContext([]byte(text))
		if err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

func TestContextSizeLimit(t *testing.T) {
	text := func(size int) []byte { return []byte(`{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}`) }
	if _, err := ParseContext(text(8192)); err != nil {
		t.Errorf("8192 bytes: %v", err)
	}
	var refused *ContextError
	if _, err := ParseContext(text(8193)); !errors.As(err, &refused) || refused.Reason != ReasonTooLong {
		t.Errorf("8193 bytes: %v", err)
	}
	value := func(size int) []Pair { return []Pair{{"a", strings.Repeat("x", size-len(`{"a":""}`))}} }
	if _, err := NewContext(value(8192)); err != nil {
		t.Errorf("pairs of 8192 bytes: %v", err)
	}
	if _, err := NewContext(value(8193)); !errors.As(err, &refused) || refused.Reason != ReasonTooLong {
		t.Errorf("pairs of 8193 bytes: %v", err)
	}
}

func TestContextOfPairs(t *testing.T) {
	fromText, err := ParseContext([]byte(`{"b":"2","a":"1","c":""}`))
	if err != nil {
		t.Fatal(err)
	}
	fromPairs, err := NewContext([]Pair{{"c", ""}, {"a", "1"}, {"b", "2"}})
	if err != nil || !fromPairs.Equal(fromText) {
		t.Errorf("pairs and text of one map differ: %v, %v", fromPairs.Pairs(), err)
	}
	if got := fromPairs.Pairs(); !slices.Equal(got, []Pair{{"a", "1"}, {"b", "2"}, {"c", ""}}) {
		t.Errorf("Pairs() = %v, want them sorted", got)
	}
	if c, err := NewContext(nil); err != nil || !c.Empty() || len(c.Pairs()) != 0 || !c.Equal(Context{}) {
		t.Errorf("no pairs: %v, %v", c, err)
	}
	for _, test := range []struct {
		pairs  []Pair
		reason string
	}{
		{[]Pair{{"", "x"}}, ReasonEmptyName},
		{[]Pair{{"a", "1"}, {"b", ""}, {"a", "1"}}, ReasonDuplicate},
		{[]Pair{{"a\xff", "1"}}, ReasonNotUTF8},
		{[]Pair{{"a", "\xed\xa0\x80"}}, ReasonNotUTF8},
	} {
		var refused *ContextError
		if _, err := NewContext(test.pairs); !errors.As(err, &refused) || refused.Reason != test.reason {
			t.Errorf("%q: %v; refuse them because of %q", test.pairs, err, test.reason)
		}
	}
}

func TestContextWithManyPairs(t *testing.T) {
	want := map[string]string{}
	var text strings.Builder
	for i := range 300 {
		name, value := fmt.Sprintf("name-%03d", i*7%300), fmt.Sprintf("\\n%d", i)
		fmt.Fprintf(&text, "%s\"%s\":\"%s\"", map[bool]string{true: "{", false: ","}[i == 0], name, value)
		want[name] = "\n" + value[2:]
	}
	text.WriteString("}")
	c, err := ParseContext([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got := contextMap(c); !maps.Equal(got, want) {
		t.Errorf("%d pairs read, %d given: %v", len(got), len(want), got)
	}
}

func TestNoContextCostsNoAllocation(t *testing.T) {
	for _, text := range []string{"", "{}", " { } "} {
		bytes := []byte(text)
		if n := testing.AllocsPerRun(100, func() { _, _ = ParseContext(bytes) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
