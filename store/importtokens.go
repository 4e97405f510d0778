package store

import (
	"bytes"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// tokenRestMs is how long an import token is kept after it has expired, so that
// "expired" can be told from "unknown".
const tokenRestMs = 24 * 60 * 60 * 1000

// createImportToken keeps what an import of material will need. The key may be
// in any state, and may have other tokens.
func (a *applier) createImportToken(c *storepb.CreateImportToken) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	switch {
	case len(c.TokenHash) != record.IDBytes:
		return nil, invalid("token hash of %d bytes", len(c.TokenHash))
	case len(c.Wrapped) == 0:
		return nil, invalid("a token without a private key")
	case c.Scheme == "":
		return nil, invalid("a token without a scheme")
	case c.TtlMs <= 0 || c.TtlMs > maxDays*24*time.Hour.Milliseconds():
		return nil, invalid("a token for %d ms", c.TtlMs)
	}
	k, err := a.key(id)
	if err != nil {
		return nil, err
	}
	if k.Origin != external {
		return nil, refuse(storepb.Code_UNSUPPORTED_ORIGIN)
	}
	if _, found, err := a.tables[record.ImportTokens].get(c.TokenHash); err != nil {
		return nil, err
	} else if found {
		return nil, invalid("the token exists")
	}
	full := c.Limit != 0 && a.state.ImportTokens >= c.Limit
	if full && len(k.ImportTokens) == 0 {
		return nil, refuseLimit("import tokens", c.Limit)
	}
	token := &storepb.ImportTokenRecord{KeyId: c.KeyId, Wrapped: c.Wrapped, Scheme: c.Scheme, ExpiresMs: a.stamp + c.TtlMs}
	a.state.ImportTokens++
	if err := a.put(record.ImportTokens, c.TokenHash, token); err != nil {
		return nil, err
	}
	expiry := record.TimedKey(record.ExpireImportToken, token.ExpiresMs+tokenRestMs, [record.IDBytes]byte(c.TokenHash))
	if err := a.put(record.Expiry, expiry, nil); err != nil {
		return nil, err
	}
	old := k
	k = proto.CloneOf(old)
	k.ImportTokens = append(k.ImportTokens, c.TokenHash)
	if full || len(k.ImportTokens) > maxKeyTokens {
		if err := a.dropTokens(k.ImportTokens[:1]); err != nil {
			return nil, err
		}
		k.ImportTokens = k.ImportTokens[1:]
	}
	if err := a.putKey(id, old, k); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId, Key: k, ExpiresMs: token.ExpiresMs}, nil
}

// maxKeyTokens bounds the tokens of one key: a new one takes the place of the
// oldest. It does so as well where the region has room for no more.
const maxKeyTokens = 10

// dropTokens takes the records of tokens out. Their key's list of them is its
// caller's.
func (a *applier) dropTokens(hashes [][]byte) error {
	for _, hash := range hashes {
		token := new(storepb.ImportTokenRecord)
		found, err := a.tables[record.ImportTokens].load(hash, token)
		if err != nil {
			return err
		}
		if !found || len(hash) != record.IDBytes {
			return damaged("import token %x is missing", hash)
		}
		until := token.ExpiresMs + tokenRestMs
		if err := a.remove(record.Expiry, record.TimedKey(record.ExpireImportToken, until, [record.IDBytes]byte(hash))); err != nil {
			return err
		}
		a.state.ImportTokens--
		if err := a.remove(record.ImportTokens, hash); err != nil {
			return err
		}
	}
	return nil
}

// forgetToken takes a token out, wherever it is known.
func (a *applier) forgetToken(_ int64, hash [record.IDBytes]byte) error {
	token := new(storepb.ImportTokenRecord)
	found, err := a.tables[record.ImportTokens].load(hash[:], token)
	if err != nil {
		return err
	}
	if !found || len(token.KeyId) != record.IDBytes {
		return damaged("import token %x is missing", hash)
	}
	id, old := crypto.KeyID(token.KeyId), new(storepb.KeyRecord)
	if found, err = a.tables[record.Keys].load(id[:], old); err != nil {
		return err
	}
	if !found {
		return damaged("import token %x is of no key", hash)
	}
	k := proto.CloneOf(old)
	k.ImportTokens = withoutToken(k.ImportTokens, hash[:])
	if err := a.dropTokens([][]byte{hash[:]}); err != nil {
		return err
	}
	return a.putKey(id, old, k)
}

func withoutToken(hashes [][]byte, hash []byte) [][]byte {
	return slices.DeleteFunc(hashes, func(other []byte) bool { return bytes.Equal(other, hash) })
}

// useImportToken uses a token up.
func (a *applier) useImportToken(c *storepb.UseImportToken) (*storepb.Result, error) {
	id, err := keyID(c.KeyId)
	if err != nil {
		return nil, err
	}
	if len(c.TokenHash) != record.IDBytes {
		return nil, invalid("token hash of %d bytes", len(c.TokenHash))
	}
	hash := [record.IDBytes]byte(c.TokenHash)
	if err := a.usableToken(id, hash); err != nil {
		return nil, err
	}
	if err := a.forgetToken(0, hash); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, KeyId: c.KeyId}, nil
}

// usableToken refuses a token that does not let material into the key now.
func (a *applier) usableToken(id crypto.KeyID, hash [record.IDBytes]byte) error {
	token := new(storepb.ImportTokenRecord)
	found, err := a.tables[record.ImportTokens].load(hash[:], token)
	switch {
	case err != nil:
		return err
	case !found || !bytes.Equal(token.KeyId, id[:]):
		return refuse(storepb.Code_TOKEN_UNKNOWN)
	case token.ExpiresMs <= a.stamp:
		return refuse(storepb.Code_TOKEN_EXPIRED)
	}
	return nil
}

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
