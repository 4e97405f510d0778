package bench

import (
	"maps"
	"slices"
	"strings"
)

// encode joins parameters, sorted by name, as both signatures sign them.
func encode(params map[string]string) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(name) + "=" + escape(params[name]))
	}
	return b.String()
}

// escape percent-encodes what is not unreserved.
func escape(s string) string {
	return string(appendEscaped(make([]byte, 0, len(s)+len(s)/4), []byte(s)))
}

func appendEscaped(dst, text []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range text {
		if unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

func escapedLen(text []byte) int {
	n := len(text)
	for _, c := range text {
		if !unreserved(c) {
			n += 2
		}
	}
	return n
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}
