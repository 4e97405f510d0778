package crypto

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// contextScanner reads a JSON object of strings (RFC 8259). The text is valid UTF-8. It is stricter than encoding/json,
// which would keep the last of two equal names, make null an empty string and turn every lone surrogate into U+FFFD:
// different contexts would become one.
type contextScanner struct {
	text []byte
	at   int
	// plain holds every string that had escapes, one behind the other. Unescaping never lengthens, so that it is
	// allocated once and the strings in it stay where they are.
	plain []byte
}

func (s *contextScanner) fail(reason string) error { return &ContextError{reason, s.at} }

// blanks skips what RFC 8259 calls ws.
func (s *contextScanner) blanks() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take consumes c if it comes next.
func (s *contextScanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// object reads the whole text as one object and appends its members to pairs, in the order of the text.
func (s *contextScanner) object(pairs []pairBytes) ([]pairBytes, error) {
	s.blanks()
	if !s.take('{') {
		return nil, s.fail(ReasonNotObject)
	}
	s.blanks()
	if !s.take('}') {
		for {
			p, err := s.member()
			if err != nil {
				return nil, err
			}
			pairs = append(pairs, p)
			s.blanks()
			if s.take('}') {
				break
			}
			if !s.take(',') {
				return nil, s.fail(ReasonSyntax)
			}
			s.blanks()
		}
	}
	s.blanks()
	if s.at < len(s.text) {
		return nil, s.fail(ReasonTrailing)
	}
	return pairs, nil
}

// member reads a name, a colon and a value.
func (s *contextScanner) member() (p pairBytes, err error) {
	if !s.take('"') {
		return p, s.fail(ReasonSyntax)
	}
	start := s.at
	if p.name, err = s.rest(); err != nil {
		return p, err
	}
	if len(p.name) == 0 {
		return p, &ContextError{ReasonEmptyName, start}
	}
	s.blanks()
	if !s.take(':') {
		return p, s.fail(ReasonSyntax)
	}
	s.blanks()
	if !s.take('"') {
		if s.at < len(s.text) && bytes.IndexByte([]byte("{[tfn-0123456789"), s.text[s.at]) >= 0 {
			return p, s.fail(ReasonNotString)
		}
		return p, s.fail(ReasonSyntax)
	}
	p.value, err = s.rest()
	return p, err
}

// rest reads a string whose opening quote is behind it. Without escapes the result is part of the text.
func (s *contextScanner) rest() ([]byte, error) {
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[start : s.at-1], nil
		case c == '\\':
			return s.unescape(start)
		case c < ' ':
			return nil, s.fail(ReasonSyntax)
		}
		s.at++
	}
	return nil, s.fail(ReasonSyntax)
}

// unescape goes on with a string at its first escape.
func (s *contextScanner) unescape(start int) ([]byte, error) {
	if s.plain == nil {
		s.plain = make([]byte, 0, len(s.text)-start)
	}
	out := append(s.plain[len(s.plain):], s.text[start:s.at]...)
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '"':
			s.at++
			s.plain = s.plain[:len(s.plain)+len(out)]
			return out, nil
		case c < ' ':
			return nil, s.fail(ReasonSyntax)
		case c != '\\':
			out = append(out, c)
			s.at++
			continue
		}
		if s.at+1 == len(s.text) {
			break
		}
		switch e := s.text[s.at+1]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := s.codePoint()
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
			continue
		default:
			return nil, s.fail(ReasonSyntax)
		}
		s.at += 2
	}
	return nil, s.fail(ReasonSyntax)
}

// codePoint reads \uXXXX, or two of them that make a surrogate pair.
func (s *contextScanner) codePoint() (rune, error) {
	first, ok := s.unit()
	if !ok {
		return 0, s.fail(ReasonSyntax)
	}
	if !utf16.IsSurrogate(first) {
		s.at += 6
		return first, nil
	}
	start := s.at
	s.at += 6
	if second, ok := s.unit(); ok {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			s.at += 6
			return r, nil
		}
	}
	return 0, &ContextError{ReasonLoneSurrogate, start}
}

// unit reads the number of a \uXXXX that comes next, without consuming it.
func (s *contextScanner) unit() (rune, bool) {
	if len(s.text)-s.at < 6 || s.text[s.at] != '\\' || s.text[s.at+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.text[s.at+2 : s.at+6] {
		digit, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}
