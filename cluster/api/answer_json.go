package api

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// separate writes the comma between JSON members or items.
func (a *Answer) separate() {
	if a.comma {
		a.buf = append(a.buf, ',')
	}
	a.comma = true
}

// member starts a JSON member. Names are ours and need no escaping.
func (a *Answer) member(name string) {
	a.separate()
	a.buf = append(a.buf, '"')
	a.buf = append(a.buf, name...)
	a.buf = append(a.buf, '"', ':')
}

const hexLower = "0123456789abcdef"

// jsonPlain marks the ASCII bytes that JSON text holds as they are.
var jsonPlain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\' && c != 0x7f
	}
	return t
}()

// appendJSONText appends s as a JSON string with its quotes (RFC 8259 §7).
func appendJSONText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if jsonPlain[c] {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			// U+2028 and U+2029 end lines in old JavaScript.
			if r != 0x2028 && r != 0x2029 && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
			b = append(b, s[start:i]...)
			b = append(b, '\\', 'u', hexLower[r>>12&15], hexLower[r>>8&15], hexLower[r>>4&15], hexLower[r&15])
			i += size
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexLower[c>>4], hexLower[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendBase64(b, raw []byte) []byte  { return base64.StdEncoding.AppendEncode(b, raw) }
func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
func appendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }
