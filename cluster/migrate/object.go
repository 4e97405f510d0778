package migrate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
)

// member is one member of a JSON object, as it stands in the text.
type member struct {
	name  []byte // decoded
	value []byte // the text of the value, without blanks around it
	plain bool   // the value is a text, as it stands between its quotes
	from  int    // where the value begins and ends in the line
	to    int
}

// object is the members of a JSON object.
type object struct {
	members []member
	end     int // where its closing brace stands
}

const (
	notJSON   = "it is not valid JSON"
	notObject = "it is not a JSON object"
	twice     = "it has a member twice"
)

// split takes the text of a JSON object apart without changing any of it, in one pass. It reports a reason if the text is
// not one whole object, or has a name twice: which of both counts would be anybody's guess. What is in the object is good
// until the next call.
func (o *object) split(line []byte) (reason string) {
	o.members = o.members[:0]
	s := jsonScanner{text: line}
	if s.blanks(); !s.next('{') {
		if json.Valid(line) {
			return notObject
		}
		return notJSON
	}
	s.depth = 1
	for s.blanks(); !s.next('}'); s.blanks() {
		if len(o.members) > 0 {
			if !s.next(',') {
				return notJSON
			}
			s.blanks()
		}
		m, ok := s.member()
		if !ok {
			return notJSON
		}
		o.members = append(o.members, m)
	}
	o.end = s.at - 1
	if s.blanks(); s.at != len(line) {
		return notJSON
	}
	if o.repeats() {
		return twice
	}
	return ""
}

// repeats says that a name is there twice.
func (o *object) repeats() bool {
	if len(o.members) > 32 {
		seen := make(map[string]bool, len(o.members))
		for _, m := range o.members {
			seen[string(m.name)] = true
		}
		return len(seen) < len(o.members)
	}
	for i, m := range o.members {
		for _, other := range o.members[:i] {
			if bytes.Equal(m.name, other.name) {
				return true
			}
		}
	}
	return false
}

// jsonScanner goes through a JSON text (RFC 8259), and accepts what encoding/json does.
type jsonScanner struct {
	text  []byte
	at    int
	depth int
}

// maxDepth is how deep encoding/json lets values be in one another.
const maxDepth = 10_000

// blanks passes over white space.
func (s *jsonScanner) blanks() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next passes over one byte, if it is this one.
func (s *jsonScanner) next(b byte) bool {
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

// member passes over a name, the colon and a value.
func (s *jsonScanner) member() (m member, ok bool) {
	from := s.at
	plain, ok := s.string()
	if !ok {
		return m, false
	}
	if m.name = s.text[from+1 : s.at-1]; !plain {
		var name string
		if json.Unmarshal(s.text[from:s.at], &name) != nil {
			return m, false
		}
		m.name = []byte(name)
	}
	if s.blanks(); !s.next(':') {
		return m, false
	}
	s.blanks()
	m.from = s.at
	if s.at < len(s.text) && s.text[s.at] == '"' {
		m.plain, ok = s.string()
	} else {
		ok = s.value()
	}
	if !ok {
		return m, false
	}
	m.to = s.at
	m.value = s.text[m.from:m.to]
	return m, true
}

// value passes over one value.
func (s *jsonScanner) value() bool {
	if s.at == len(s.text) {
		return false
	}
	switch s.text[s.at] {
	case '"':
		_, ok := s.string()
		return ok
	case '{', '[':
		return s.container()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// container passes over an object or an array.
func (s *jsonScanner) container() bool {
	if s.depth++; s.depth > maxDepth {
		return false
	}
	open := s.text[s.at]
	last := open + 2 // '}' of '{', and ']' of '['
	s.at++
	for first := true; ; first = false {
		s.blanks()
		switch {
		case s.next(last):
			s.depth--
			return true
		case !first && !s.next(','):
			return false
		}
		s.blanks()
		if open == '{' {
			if _, ok := s.string(); !ok {
				return false
			}
			if s.blanks(); !s.next(':') {
				return false
			}
			s.blanks()
		}
		if !s.value() {
			return false
		}
	}
}

// string passes over a text in quotes. It is plain if what is between the quotes is the text: ASCII without escapes.
func (s *jsonScanner) string() (plain, ok bool) {
	if !s.next('"') {
		return false, false
	}
	plain = true
	for i := s.at + plainWords(s.text[s.at:]); i < len(s.text); i++ {
		switch b := s.text[i]; {
		case b == '"':
			s.at = i + 1
			return plain, true
		case b < ' ':
			return false, false
		case b == '\\':
			plain = false
			n := escapeLength(s.text[i+1:])
			if n == 0 {
				return false, false
			}
			i += n
		case b >= 0x80:
			plain = false
		}
	}
	return false, false
}

// plainWords is how many bytes a text begins with that mean themselves within quotes: a multiple of eight, for it looks at
// eight at once.
func plainWords(text []byte) (n int) {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(text)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(text[n:])
		quote, backslash := w^('"'*each), w^('\\'*each)
		// The high bit of each is set if one of the bytes is below a blank, a quote or a backslash, or is not ASCII.
		if ((w-' '*each)|(quote-each)|(backslash-each)|w)&high != 0 {
			return n
		}
	}
	return n
}

// escapeLength is how long an escape is behind its backslash; 0 if it is none.
func escapeLength(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		for i := 1; i <= 4; i++ {
			if i == len(text) || !isHex(text[i]) {
				return 0
			}
		}
		return 5
	}
	return 0
}

func isHex(b byte) bool { return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'f' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// literal passes over true, false or null.
func (s *jsonScanner) literal(text string) bool {
	if !bytes.HasPrefix(s.text[s.at:], []byte(text)) {
		return false
	}
	s.at += len(text)
	return true
}

// number passes over a number.
func (s *jsonScanner) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return false
	}
	if s.next('.') && !s.digits() {
		return false
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		return s.digits()
	}
	return true
}

// digits passes over one or more.
func (s *jsonScanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
	return s.at > from
}

// text is the value as a text, if it is one.
func (m member) text() (text []byte, ok bool) {
	if m.plain {
		return m.value[1 : len(m.value)-1], true
	}
	var decoded string
	if m.value[0] != '"' || json.Unmarshal(m.value, &decoded) != nil {
		return nil, false
	}
	return []byte(decoded), true
}
