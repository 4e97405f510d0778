package crypto

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a secret shows of itself.
const redacted = "[redacted]"

// Secret is bytes that nobody may see. It prints as [redacted] through every verb of fmt, log/slog, JSON, XML and
// text encodings.
//
// Package fmt cannot call methods of unexported fields: a struct that keeps a Secret in one must redact itself, as
// [XAES] and [Keyring] do.
type Secret []byte

// Wipe overwrites the secret with zeros. Copies that the runtime or others made are out of its reach.
func (s Secret) Wipe() { clear(s) }

// Equal compares in constant time; only the lengths may be learned from the time taken.
func (s Secret) Equal(other []byte) bool { return subtle.ConstantTimeCompare(s, other) == 1 }

// Format implements [fmt.Formatter]: no verb and no flag shows the bytes or their number.
func (s Secret) Format(f fmt.State, _ rune) { redact(f) }

// String implements [fmt.Stringer].
func (s Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return redacted }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], which the JSON, XML and YAML encoders use too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements [encoding/json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// GobEncode implements [encoding/gob.GobEncoder]: gob would otherwise write the bytes.
func (s Secret) GobEncode() ([]byte, error) { return []byte(redacted), nil }

// redact writes what every secret shows of itself. A failing writer is fmt's to report.
func redact(f fmt.State) { _, _ = io.WriteString(f, redacted) }
