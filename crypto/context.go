package crypto

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"
)

// MaxContextBytes bounds the JSON text of an encryption context, in bytes.
const MaxContextBytes = 8192

// Context is an encryption context: a map from text to text that a blob was sealed with and opens only with. The zero
// value is no context, which is the same as an empty one. Two contexts are one if their names and values are, byte by
// byte; there is no Unicode normalisation. It is immutable.
type Context struct {
	// canonical is u32(pairs) and then the pairs as [Blob] describes them; empty if there are none. Never changed.
	canonical []byte
}

// Pair is a name and its value in an encryption context.
type Pair struct {
	Name, Value string
}

// Reasons for which an encryption context is refused.
const (
	ReasonTooLong       = "longer than 8192 bytes"
	ReasonNotUTF8       = "holds bytes that are not UTF-8"
	ReasonNotObject     = "not a JSON object"
	ReasonSyntax        = "not valid JSON"
	ReasonNotString     = "a value is not a string"
	ReasonLoneSurrogate = "half of a surrogate pair in an escape"
	ReasonEmptyName     = "an empty name"
	ReasonDuplicate     = "a name is given twice"
	ReasonTrailing      = "text after the object"
)

// ContextError says why an encryption context is refused. It repeats nothing of the context.
type ContextError struct {
	Reason string // one of the Reason constants
	Offset int    // in bytes, of the fault in the JSON text; -1 where there is no one place
}

// Error implements error.
func (e *ContextError) Error() string {
	if e.Offset < 0 {
		return "crypto: encryption context refused: " + e.Reason
	}
	return fmt.Sprintf("crypto: encryption context refused: %s, at byte %d", e.Reason, e.Offset)
}

// ParseContext reads an encryption context from the text of a JSON object whose members are all strings. Order of
// members, blanks and escapes make no difference; empty text is no context. Errors are [*ContextError].
func ParseContext(text []byte) (Context, error) {
	if len(text) == 0 {
		return Context{}, nil
	}
	if len(text) > MaxContextBytes {
		return Context{}, &ContextError{ReasonTooLong, -1}
	}
	if !utf8.Valid(text) {
		return Context{}, &ContextError{ReasonNotUTF8, -1}
	}
	var room [16]pairBytes
	s := contextScanner{text: text}
	pairs, err := s.object(room[:0])
	if err != nil {
		return Context{}, err
	}
	return canonicalContext(pairs)
}

// NewContext makes an encryption context of pairs that came one by one. The rules are those of [ParseContext]; the
// limit counts the shortest JSON text without escapes.
func NewContext(pairs []Pair) (Context, error) {
	size := 1
	for _, p := range pairs {
		size += len(`"":"",`) + len(p.Name) + len(p.Value)
	}
	if len(pairs) > 0 && size > MaxContextBytes {
		return Context{}, &ContextError{ReasonTooLong, -1}
	}
	var room [16]pairBytes
	list := room[:0]
	for _, p := range pairs {
		if p.Name == "" {
			return Context{}, &ContextError{ReasonEmptyName, -1}
		}
		if !utf8.ValidString(p.Name) || !utf8.ValidString(p.Value) {
			return Context{}, &ContextError{ReasonNotUTF8, -1}
		}
		list = append(list, pairBytes{[]byte(p.Name), []byte(p.Value)})
	}
	return canonicalContext(list)
}

// ParseCanonicalContext reads what [Context.Canonical] returned. The result keeps b, which must not change while it is
// used. Errors are [*ContextError].
func ParseCanonicalContext(b []byte) (Context, error) {
	if len(b) == 0 {
		return Context{}, nil
	}
	refused := func(reason string) (Context, error) { return Context{}, &ContextError{reason, -1} }
	rest := b
	text := func() ([]byte, bool) {
		if len(rest) < 4 {
			return nil, false
		}
		n := binary.BigEndian.Uint32(rest)
		if rest = rest[4:]; uint64(n) > uint64(len(rest)) {
			return nil, false
		}
		t := rest[:n]
		rest = rest[n:]
		return t, true
	}
	if len(b) < 4 || binary.BigEndian.Uint32(b) == 0 {
		return refused(ReasonSyntax)
	}
	pairs := binary.BigEndian.Uint32(b)
	rest = rest[4:]
	size := 1
	var last []byte
	for i := range pairs {
		name, nameOK := text()
		value, valueOK := text()
		size += len(`"":"",`) + len(name) + len(value)
		switch {
		case !nameOK || !valueOK:
			return refused(ReasonSyntax)
		case size > MaxContextBytes:
			return refused(ReasonTooLong)
		case len(name) == 0:
			return refused(ReasonEmptyName)
		case !utf8.Valid(name) || !utf8.Valid(value):
			return refused(ReasonNotUTF8)
		case i > 0 && bytes.Compare(last, name) >= 0:
			return refused(ReasonDuplicate) // or out of order, which is no canonical form either
		}
		last = name
	}
	if len(rest) > 0 {
		return refused(ReasonTrailing)
	}
	return Context{canonical: b}, nil
}

// Canonical returns the one form of the context: u32(pairs) and the pairs as [Blob] describes them; nothing for none. It
// is shared: never modify it.
func (c Context) Canonical() []byte { return c.canonical }

// Empty says that there is no context.
func (c Context) Empty() bool { return len(c.canonical) == 0 }

// Equal says that both are the same map.
func (c Context) Equal(other Context) bool { return bytes.Equal(c.canonical, other.canonical) }

// Pairs returns the pairs, sorted by the bytes of their names.
func (c Context) Pairs() []Pair {
	if c.Empty() {
		return nil
	}
	rest := c.canonical
	number := func() int {
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		return int(n)
	}
	text := func() string {
		n := number()
		s := string(rest[:n])
		rest = rest[n:]
		return s
	}
	pairs := make([]Pair, number())
	for i := range pairs {
		pairs[i].Name = text()
		pairs[i].Value = text()
	}
	return pairs
}

// appendTo appends what an AAD holds of the context: u32(pairs) and the pairs.
func (c Context) appendTo(dst []byte) []byte {
	if c.Empty() {
		return append(dst, 0, 0, 0, 0)
	}
	return append(dst, c.canonical...)
}

// pairBytes is a pair before it has its place.
type pairBytes struct {
	name, value []byte
}

// canonicalContext sorts pairs, refuses a repeated name and encodes them.
func canonicalContext(pairs []pairBytes) (Context, error) {
	if len(pairs) == 0 {
		return Context{}, nil
	}
	slices.SortFunc(pairs, func(a, b pairBytes) int { return bytes.Compare(a.name, b.name) })
	size := 4
	for i, p := range pairs {
		if i > 0 && string(pairs[i-1].name) == string(p.name) {
			return Context{}, &ContextError{ReasonDuplicate, -1}
		}
		size += 8 + len(p.name) + len(p.value)
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(len(pairs)))
	for _, p := range pairs {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.name)))
		b = append(b, p.name...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.value)))
		b = append(b, p.value...)
	}
	return Context{canonical: b}, nil
}
