package crypto

import (
	"crypto/rand"
	"encoding/hex"
)

// KeyID names a customer master key: a UUID (RFC 9562). The zero value names no key.
type KeyID [16]byte

// VersionID names one version of a key's material: a UUID (RFC 9562). The zero value names no version.
type VersionID [16]byte

// uuidTextBytes is the length of a UUID's text, 8-4-4-4-12 hexadecimal digits.
const uuidTextBytes = 36

// NewKeyID returns a new random identifier, UUID version 4.
func NewKeyID() KeyID { return KeyID(newUUID()) }

// NewVersionID returns a new random identifier, UUID version 4.
func NewVersionID() VersionID { return VersionID(newUUID()) }

// ParseKeyID reads the text form of 36 characters; digits of either case are accepted.
func ParseKeyID(text string) (KeyID, bool) {
	id, ok := parseUUID(text)
	return KeyID(id), ok
}

// ParseVersionID reads the text form of 36 characters; digits of either case are accepted.
func ParseVersionID(text string) (VersionID, bool) {
	id, ok := parseUUID(text)
	return VersionID(id), ok
}

// String returns the text form in lower case.
func (id KeyID) String() string { return string(id.AppendTo(make([]byte, 0, uuidTextBytes))) }

// AppendTo appends the text form in lower case, 36 bytes.
func (id KeyID) AppendTo(dst []byte) []byte { return appendUUID(dst, id) }

// IsZero says that id names no key.
func (id KeyID) IsZero() bool { return id == KeyID{} }

// MarshalText implements [encoding.TextMarshaler] with the text form.
func (id KeyID) MarshalText() ([]byte, error) { return id.AppendTo(nil), nil }

// String returns the text form in lower case.
func (id VersionID) String() string { return string(id.AppendTo(make([]byte, 0, uuidTextBytes))) }

// AppendTo appends the text form in lower case, 36 bytes.
func (id VersionID) AppendTo(dst []byte) []byte { return appendUUID(dst, id) }

// IsZero says that id names no version.
func (id VersionID) IsZero() bool { return id == VersionID{} }

// MarshalText implements [encoding.TextMarshaler] with the text form.
func (id VersionID) MarshalText() ([]byte, error) { return id.AppendTo(nil), nil }

func newUUID() (id [16]byte) {
	rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id
}

func appendUUID(dst []byte, id [16]byte) []byte {
	dst = hex.AppendEncode(dst, id[0:4])
	dst = hex.AppendEncode(append(dst, '-'), id[4:6])
	dst = hex.AppendEncode(append(dst, '-'), id[6:8])
	dst = hex.AppendEncode(append(dst, '-'), id[8:10])
	return hex.AppendEncode(append(dst, '-'), id[10:16])
}

// parseUUID reads the 8-4-4-4-12 form and no other: no braces, no urn prefix, no bare digits.
func parseUUID(text string) (id [16]byte, ok bool) {
	if len(text) != uuidTextBytes {
		return id, false
	}
	n := 0
	for i := 0; i < uuidTextBytes; {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if text[i] != '-' {
				return [16]byte{}, false
			}
			i++
			continue
		}
		hi, okHi := hexDigit(text[i])
		lo, okLo := hexDigit(text[i+1])
		if !okHi || !okLo {
			return [16]byte{}, false
		}
		id[n] = hi<<4 | lo
		n++
		i += 2
	}
	return id, true
}

// hexDigit returns the value of a hexadecimal digit of either case.
func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
