package api

import (
	"bytes"
	"crypto/sha256"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// naiveEncode percent-encodes by net/url, whose form of a query differs in the space only.
func naiveEncode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// encoded returns what the signer makes of s.
func encoded(s string, twice bool) string {
	var e signer
	e.begin(nil)
	if twice {
		e.twice(s)
	} else {
		e.once(s)
	}
	e.flush()
	return string(e.text)
}

func TestEncodingOfEveryByte(t *testing.T) {
	for c := range 256 {
		s := string([]byte{byte(c)})
		if got, want := encoded(s, false), naiveEncode(s); got != want {
			t.Errorf("byte %#x: %q, want %q", c, got, want)
		}
	}
}

// TestEncodingAcrossTheBuffer encodes texts whose ends and escapes fall on every place around the end of the buffer.
func TestEncodingAcrossTheBuffer(t *testing.T) {
	size := len(signer{}.buf)
	for lead := size - 12; lead <= size+2; lead++ {
		s := strings.Repeat("a", lead) + "+/=测试" + strings.Repeat("b", size) + "+"
		if got := encoded(s, false); got != naiveEncode(s) {
			t.Fatalf("lead %d: once differs", lead)
		}
		if got := encoded(s, true); got != naiveEncode(naiveEncode(s)) {
			t.Fatalf("lead %d: twice differs", lead)
		}
	}
}

func FuzzEncoding(f *testing.F) {
	for _, seed := range []string{"", "abc", "a+b/c=", "测试~*'()", "\x00\xff%", strings.Repeat("%a", 3000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, twice := encoded(s, false), encoded(s, true)
		if want := naiveEncode(s); once != want || twice != naiveEncode(want) {
			t.Fatalf("%q: %q and %q, want %q", s, once, twice, want)
		}
		// What is hashed is what is collected.
		var e signer
		h := sha256.New()
		e.begin(h)
		e.twice(s)
		e.flush()
		if sum := sha256.Sum256([]byte(twice)); !bytes.Equal(h.Sum(nil), sum[:]) {
			t.Fatalf("%q: the hash is of another text", s)
		}
		// And back, through the parser, if it is text at all.
		if got, err := parseQuery("x=" + once); utf8.ValidString(s) != (err == nil) || err == nil && got["x"] != s {
			t.Fatalf("%q came back as %q, %v", s, got["x"], err)
		}
	})
}
