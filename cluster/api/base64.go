package api

import (
	"encoding/base64"
	"strings"
)

// strictBase64 refuses set bits after the end. It still skips CR and LF, which decodeBase64 refuses.
var strictBase64 = base64.StdEncoding.Strict()

// errBase64 is the fault of a text that is not padded standard Base64.
const errBase64 = "it must be standard Base64 with padding and without line breaks"

// decodedLen returns how many bytes a padded Base64 text of the right length holds, or -1.
func decodedLen(text string) int {
	if len(text)%4 != 0 {
		return -1
	}
	n := len(text) / 4 * 3
	switch {
	case strings.HasSuffix(text, "=="):
		n -= 2
	case strings.HasSuffix(text, "="):
		n--
	}
	return n
}

// base64Fault checks the length that a text will have decoded, before anything is decoded. decodeBase64 checks the rest.
func base64Fault(value string, low, high int64) string {
	n := int64(decodedLen(value))
	switch {
	case n < 0:
		return errBase64
	case n < low:
		return "it must hold " + decimal(low) + " byte or more"
	case high > 0 && n > high:
		return "it holds more than " + decimal(high) + " bytes"
	}
	return ""
}

// decodeBase64 appends what a padded standard Base64 text holds to dst, whose spare room may be written to even when the
// text is refused. The package skips line breaks; a text with some in it holds fewer bytes than its length says.
func decodeBase64(dst []byte, text string) ([]byte, bool) {
	out, err := strictBase64.AppendDecode(dst, bytesOf(text))
	if err != nil || len(out)-len(dst) != decodedLen(text) {
		return dst, false
	}
	return out, true
}
