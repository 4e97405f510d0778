package crypto

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParseCanonicalContext(t *testing.T) {
	for _, text := range []string{``, `{}`, `{"a":"b"}`, `{"b":"","a":"x","é":"ü"}`} {
		c, err := ParseContext([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCanonicalContext(c.Canonical())
		if err != nil || !again.Equal(c) {
			t.Errorf("%s comes back as %v, %v", text, again.Pairs(), err)
		}
	}
	// A pair of n bytes counts n + 7.
	for size, reason := range map[int]string{MaxContextBytes - 8: "", MaxContextBytes - 7: ReasonTooLong} {
		long := canonical("a", strings.Repeat("x", size))
		if _, err := ParseCanonicalContext(long); reasonOf(err) != reason {
			t.Errorf("a value of %d bytes: %v; want %q", size, err, reason)
		}
	}
	for name, b := range map[string][]byte{
		ReasonSyntax:    {0, 0, 0, 0},
		ReasonEmptyName: canonical("", "x"),
		ReasonNotUTF8:   canonical("a", "\xff"),
		ReasonDuplicate: canonical("a", "x", "a", "y"),
		ReasonTrailing:  append(canonical("a", "x"), 0),
	} {
		if _, err := ParseCanonicalContext(b); reasonOf(err) != name {
			t.Errorf("%x: %v; want %q", b, err, name)
		}
	}
	whole := canonical("a", "x", "b", "y")
	for n := 1; n < len(whole); n++ {
		if _, err := ParseCanonicalContext(whole[:n]); reasonOf(err) != ReasonSyntax {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	if _, err := ParseCanonicalContext(canonical("b", "x", "a", "y")); reasonOf(err) != ReasonDuplicate {
		t.Errorf("out of order: %v", err)
	}
}

// canonical writes names and values as they come.
func canonical(texts ...string) []byte {
	b := []byte{0, 0, 0, byte(len(texts) / 2)}
	for _, text := range texts {
		b = append(b, 0, 0, byte(len(text)>>8), byte(len(text)))
		b = append(b, text...)
	}
	return b
}

func reasonOf(err error) string {
	var fault *ContextError
	if errors.As(err, &fault) {
		return fault.Reason
	}
	return ""
}

func FuzzParseCanonicalContext(f *testing.F) {
	f.Add(canonical("a", "x"))
	f.Add(canonical("a", "", "b", "y"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCanonicalContext(b)
		if err != nil {
			return
		}
		again, err := NewContext(c.Pairs())
		if err != nil || !bytes.Equal(again.Canonical(), b) {
			t.Errorf("%x is not the form of its pairs: %v", b, err)
		}
	})
}
