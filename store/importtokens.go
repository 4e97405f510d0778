package store

import (
	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// ImportToken returns the import token of a hash, expired or not, or
// ErrTokenNotFound.
func (v *View) ImportToken(hash [record.IDBytes]byte) (token *ImportToken, err error) {
	err = guarded(func() error {
		token, err = v.readToken(hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	return token, nil
}

// readToken reads a token from the file. Absence is believed when there are as
// many tokens as the state says.
func (v *View) readToken(hash [record.IDBytes]byte) (*ImportToken, error) {
	t, err := v.table(record.ImportTokens)
	if err != nil {
		return nil, err
	}
	r := new(storepb.ImportTokenRecord)
	found, err := t.load(hash[:], r)
	switch {
	case err != nil:
		return nil, err
	case !found:
		if n := t.count(); n != v.state.ImportTokens {
			return nil, damaged("%d import tokens, not %d", n, v.state.ImportTokens)
		}
		return nil, ErrTokenNotFound
	case len(r.KeyId) != record.IDBytes:
		return nil, damaged("import token %x has a key id of %d bytes", hash, len(r.KeyId))
	}
	return &ImportToken{KeyID: crypto.KeyID(r.KeyId), Wrapped: r.Wrapped, Scheme: r.Scheme, Expires: timeOf(r.ExpiresMs)}, nil
}
