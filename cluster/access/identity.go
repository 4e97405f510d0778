// Package access knows who may call the API: access keys, the identities behind them, and what these may do.
//
// So far an account has one identity, its root, which may do everything. Users and policies will answer the same two
// questions: Lookup (whose access key is this?) and Authorize (may this identity do that?). Both run for every
// request and allocate nothing.
package access

import (
	"errors"
	"fmt"

	"meridian/crypto"
)

// Signature names a scheme by which requests are signed.
type Signature uint8

const (
	// V1 is the older scheme, HMAC over the parameters; the zero value.
	V1 Signature = iota
	// V3 is ACS3-HMAC-SHA256, which signs host and body as well.
	V3
)

// String is the word used in configuration.
func (s Signature) String() string {
	if s == V3 {
		return "v3"
	}
	return "v1"
}

// ParseSignature reads the word used in configuration.
func ParseSignature(word string) (s Signature, ok bool) {
	for _, s := range []Signature{V1, V3} {
		if word == s.String() {
			return s, true
		}
	}
	return 0, false
}

// Key is one access key as it is configured.
type Key struct {
	ID           string        // 1 to 128 of A-Z a-z 0-9 . _ -
	Secret       crypto.Secret // at least MinSecretBytes
	Inactive     bool          // refused, with an answer of its own, once the signature is found right
	MinSignature Signature     // older schemes are refused
}

// MinSecretBytes is the shortest access key secret that is accepted.
const MinSecretBytes = 16

// Identity is who stands behind an access key. It is shared and never modified.
type Identity struct {
	AccessKeyID  string
	Secret       crypto.Secret
	Active       bool
	MinSignature Signature
	Account      string
	Principal    string // ARN, acs:ram::ACCOUNT:root
	Root         bool   // may do everything
	macs         [macKinds]macPool
}

// Identities holds the identities of one account. It is safe for concurrent use.
type Identities struct {
	byKey map[string]*Identity
	dummy *Identity
}

// NewRoot returns the identities of an account that has only its root. Every mistake in the keys is reported.
func NewRoot(account string, keys ...Key) (*Identities, error) {
	ids := &Identities{byKey: make(map[string]*Identity, len(keys))}
	var problems []error
	if account == "" {
		problems = append(problems, errors.New("access: the account has no id"))
	}
	for _, k := range keys {
		switch {
		case !ValidKeyID(k.ID):
			problems = append(problems, fmt.Errorf("access: access key id %q: want 1 to 128 of A-Z a-z 0-9 . _ -", k.ID))
		case CheckSecret(k.Secret) != nil:
			problems = append(problems, fmt.Errorf("access: secret of %s: %w", k.ID, CheckSecret(k.Secret)))
		case ids.byKey[k.ID] != nil:
			problems = append(problems, fmt.Errorf("access: access key %s is given twice", k.ID))
		default:
			ids.byKey[k.ID] = &Identity{
				AccessKeyID: k.ID, Secret: k.Secret, Active: !k.Inactive, MinSignature: k.MinSignature,
				Account: account, Principal: "acs:ram::" + account + ":root", Root: true,
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	ids.dummy = &Identity{AccessKeyID: "unknown", Secret: make(crypto.Secret, 2*MinSecretBytes)}
	return ids, nil
}

// Lookup finds the identity of an access key.
func (ids *Identities) Lookup(accessKeyID string) (*Identity, bool) {
	id, ok := ids.byKey[accessKeyID]
	return id, ok
}

// Dummy is an identity that nobody has: a request with an unknown access key is checked against it, so that the refusal
// takes as long as one for a wrong signature.
func (ids *Identities) Dummy() *Identity { return ids.dummy }

// Authorize reports whether an identity may do action (such as kms:Encrypt) on a resource (an ARN). So far there is only
// the root, which may do everything: neither action nor resource is looked at yet, nor the policy of a key.
func (ids *Identities) Authorize(id *Identity, action, resource string) bool {
	return id != nil && id.Root
}

// CheckSecret says what is wrong with the secret of an access key. It never repeats it.
func CheckSecret(secret crypto.Secret) error {
	if len(secret) < MinSecretBytes {
		return fmt.Errorf("it is shorter than %d bytes", MinSecretBytes)
	}
	return nil
}

// ValidKeyID reports whether id may name an access key: 1 to 128 of A-Z a-z 0-9 . _ -.
func ValidKeyID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(id) >= 1 && len(id) <= 128
}
