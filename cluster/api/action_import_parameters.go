package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

const (
	// importTokenTime is how long a token is good for one import (API page GetParametersForImport).
	importTokenTime = 24 * time.Hour
	// importTokenBytes is the length of a token, which is random.
	importTokenBytes = 32
	// maxImportTokens bounds the tokens of the region, a kilobyte each. One key has ten at the most, and one that has some
	// gets another for its oldest.
	maxImportTokens = 10_000
)

// importTokenHash is how the state knows a token, which it does not hold.
func importTokenHash(token []byte) (hash [16]byte) {
	sum := sha256.Sum256(token)
	return [16]byte(sum[:])
}

// importBinding is the place of the private key of a token, which decrypts under one scheme only.
func (c *Call) importBinding(id crypto.KeyID, hash [16]byte, scheme crypto.EncryptionScheme) crypto.Binding {
	return crypto.Binding{
		Region: c.server.cfg.RegionID, KeyID: id, VersionID: crypto.VersionID(hash), Algorithm: crypto.AlgorithmRSA2048,
		Purpose: crypto.PurposeImport, Name: string(scheme),
	}
}

func handleGetParametersForImport(ctx context.Context, c *Call) error {
	scheme := crypto.EncryptionScheme(c.Params.value("WrappingAlgorithm"))
	switch {
	case c.Params.value("WrappingKeySpec") != specRSA2048:
		return errInvalid("WrappingKeySpec", "only "+specRSA2048+" is served")
	case scheme == crypto.SM2PKE:
		return errInvalid("WrappingAlgorithm", string(scheme)+" does not go with "+specRSA2048)
	case scheme.Available() != nil:
		return errInvalid("WrappingAlgorithm", string(scheme)+" is not served in FIPS-only mode")
	}
	k, err := c.keyForToken(ctx)
	if err != nil {
		return err
	}
	pair, err := c.newKeyPair(ctx, crypto.AlgorithmRSA2048)
	if err != nil {
		return err
	}
	token := make(crypto.Secret, importTokenBytes)
	defer token.Wipe()
	rand.Read(token)
	hash := importTokenHash(token)
	material, err := pair.Marshal()
	if err != nil {
		return err
	}
	defer material.Wipe()
	wrapped, err := c.server.cfg.Region.Wrap(c.importBinding(k.ID, hash, scheme), material)
	if err != nil {
		return err
	}
	result, err := c.propose(ctx, &storepb.Command{Body: &storepb.Command_CreateImportToken{CreateImportToken: &storepb.CreateImportToken{
		KeyId: idBytes(k.ID), TokenHash: hash[:], Wrapped: wrapped, Scheme: string(scheme), TtlMs: importTokenTime.Milliseconds(), Limit: maxImportTokens,
	}}}, subject{key: k.ID, refusal: func(result *storepb.Result) error {
		if result.Code == storepb.Code_LIMIT {
			return errTokens()
		}
		return nil
	}})
	if err != nil {
		return err
	}
	c.Answer.Text("KeyId", k.ID.String())
	c.Answer.Base64(paramImportToken, token)
	c.Answer.Base64("PublicKey", pair.Public().DER())
	c.Answer.Time("TokenExpireTime", time.UnixMilli(result.ExpiresMs))
	return nil
}

func errTokens() *Error {
	return errThrottled("too many import tokens of the region wait to be used or to expire", time.Minute)
}

// keyForToken finds the key of the request. It refuses early, before a pair is made, what the region would refuse in the
// end because it has no room for tokens.
func (c *Call) keyForToken(ctx context.Context) (found *store.Key, err error) {
	err = c.read(ctx, func(v *store.View) error {
		if found, err = c.findExternalKey(v); err != nil {
			return err
		}
		if found.ImportTokens == 0 && v.Totals().ImportTokens >= maxImportTokens {
			return errTokens()
		}
		return nil
	})
	return found, err
}

// externalKey finds the key of the request, allowed, in a state for the action and of origin EXTERNAL.
func (c *Call) externalKey(ctx context.Context) (found *store.Key, err error) {
	err = c.read(ctx, func(v *store.View) error {
		found, err = c.findExternalKey(v)
		return err
	})
	return found, err
}

func (c *Call) findExternalKey(v *store.View) (*store.Key, error) {
	k, err := c.findKey(v, paramKeyID, c.Action.RAM[0])
	if err != nil {
		return nil, err
	}
	if k.Origin != originExternal {
		return nil, c.errOrigin(k)
	}
	return k, c.checkState(k)
}

// errOrigin refuses a key because of where its material comes from.
func (c *Call) errOrigin(k *store.Key) error {
	return newError(CodeUnsupportedOrigin, k.ID, k.Origin, c.Action.Name)
}
