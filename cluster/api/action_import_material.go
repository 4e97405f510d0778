package api

import (
	"context"
	"errors"
	"math"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Parameters of ImportKeyMaterial.
const (
	paramImportToken    = "ImportToken"
	paramMaterial       = "EncryptedKeyMaterial"
	paramMaterialExpire = "KeyMaterialExpireUnix"
)

// importing is what an import of key material stands on: the key and the token, of one view.
type importing struct {
	key   *store.Key
	hash  [16]byte
	token *store.ImportToken
	used  bool // the token is used up already
}

func (im *importing) scheme() crypto.EncryptionScheme {
	return crypto.EncryptionScheme(im.token.Scheme)
}

func handleImportKeyMaterial(ctx context.Context, c *Call) error {
	expires, err := c.materialExpiry()
	if err != nil {
		return err
	}
	encrypted, err := c.readBase64(paramMaterial)
	if err != nil {
		return err
	}
	im, err := c.findImport(ctx)
	if err != nil {
		return err
	}
	if im.scheme() != crypto.RSAESPKCS1v15 {
		return c.decryptAndImport(ctx, im, encrypted, expires)
	}
	if err := c.useToken(ctx, im); err != nil {
		return err
	}
	if err := c.decryptAndImport(ctx, im, encrypted, expires); err != nil {
		return c.errTokenGone(err)
	}
	return nil
}

func (c *Call) decryptAndImport(ctx context.Context, im *importing, encrypted []byte, expires int64) error {
	material, err := c.decryptImport(ctx, im, encrypted)
	if err != nil {
		return err
	}
	defer material.Wipe()
	return c.importMaterial(ctx, im, material, expires)
}

// errTokenGone says of an import that failed that its token is used up. It is never one that clients repeat as it is.
func (c *Call) errTokenGone(err error) error {
	e := apiError(c, err)
	switch e.Code {
	case CodeInternalFailure: // and whether it was done may be unknown
		return err
	case CodeRejectedThrottling, CodeServiceUnavailableTemporary:
		cause := e.Message
		e = newError(CodeInvalidImportToken)
		e.Message = "The import was not done: " + cause
	}
	e.Message += " The import token is used up; GetParametersForImport gives another."
	return e
}

// importMaterial proposes the import. When another import of the key comes first, what is proposed no longer fits, and is
// made once more.
func (c *Call) importMaterial(ctx context.Context, im *importing, material crypto.Secret, expires int64) error {
	propose := c.propose
	for {
		body, err := c.importCommand(im, material)
		if err != nil {
			return err
		}
		body.ExpiresMs = expires
		errFirst := errors.New("api: another import of the key came first")
		refusal := c.importRefusal(im)
		_, err = propose(ctx, &storepb.Command{Body: &storepb.Command_ImportKeyMaterial{ImportKeyMaterial: body}}, subject{
			key: im.key.ID,
			refusal: func(result *storepb.Result) error {
				if result.Code == storepb.Code_PRIMARY_CHANGED {
					return errFirst
				}
				return refusal(result)
			},
		})
		if err != errFirst {
			return err
		}
		if im.key, err = c.externalKey(ctx); err != nil {
			return err
		}
		propose = c.proposeOwn // the nonce is used
	}
}

// useToken uses the token up before the decryption, in the name of the region: whoever asks a second time is told that
// there is no such token, on whatever node and however often at once. Under PKCS #1 v1.5 whether a ciphertext decrypts
// tells about what is in it.
func (c *Call) useToken(ctx context.Context, im *importing) error {
	_, err := c.proposeOwn(ctx, &storepb.Command{Body: &storepb.Command_UseImportToken{UseImportToken: &storepb.UseImportToken{
		KeyId: idBytes(im.key.ID), TokenHash: im.hash[:],
	}}}, subject{key: im.key.ID, refusal: c.importRefusal(im)})
	im.used = err == nil
	return err
}

// importRefusal turns what ImportKeyMaterial alone comes to into errors: what was seen before may have changed since.
func (c *Call) importRefusal(im *importing) func(*storepb.Result) error {
	return func(result *storepb.Result) error {
		switch result.Code {
		case storepb.Code_TOKEN_UNKNOWN:
			return newError(CodeInvalidImportToken)
		case storepb.Code_TOKEN_EXPIRED:
			return newError(CodeExpiredImportToken, im.token.Expires.UTC().Format(timeLayout))
		case storepb.Code_MATERIAL_DIFFERS:
			return errOtherMaterial()
		case storepb.Code_IN_PAST:
			return errInvalid(paramMaterialExpire, "it must be later than now")
		}
		return nil
	}
}

// maxExpiry is the end of the year 9999, in seconds since 1970.
const maxExpiry = 253402300799

// materialExpiry reads when the material is to expire, in Unix milliseconds; 0: never.
func (c *Call) materialExpiry() (int64, error) {
	seconds := c.integer(paramMaterialExpire)
	switch {
	case seconds == 0:
		return 0, nil
	case seconds > maxExpiry || seconds > math.MaxInt64/1000:
		return 0, errInvalid(paramMaterialExpire, "it is after the year 9999")
	case seconds <= c.server.cfg.Now().Unix():
		return 0, errInvalid(paramMaterialExpire, "it must be later than now")
	}
	return seconds * 1000, nil
}

// findImport finds key and token of the request. A token of another key is an unknown one.
func (c *Call) findImport(ctx context.Context) (*importing, error) {
	raw, err := c.readBase64(paramImportToken)
	if err != nil {
		return nil, err
	}
	im := &importing{hash: importTokenHash(raw)}
	err = c.read(ctx, func(v *store.View) error {
		if im.key, err = c.findExternalKey(v); err != nil {
			return err
		}
		im.token, err = v.ImportToken(im.hash)
		switch {
		case errors.Is(err, store.ErrTokenNotFound), err == nil && im.token.KeyID != im.key.ID:
			return newError(CodeInvalidImportToken)
		case err == nil && !c.server.cfg.Now().Before(im.token.Expires):
			return newError(CodeExpiredImportToken, im.token.Expires.UTC().Format(timeLayout))
		}
		return err
	})
	return im, err
}

// decryptImport decrypts the material with the private key of the token.
func (c *Call) decryptImport(ctx context.Context, im *importing, encrypted []byte) (crypto.Secret, error) {
	binding := c.importBinding(im.key.ID, im.hash, im.scheme())
	private, err := c.server.cfg.Region.Unwrap(binding, im.token.Wrapped)
	if err != nil {
		return nil, err
	}
	defer private.Wipe()
	take := c.server.asymmetric.take
	if im.used { // to be sent away now would cost the token
		take = c.server.asymmetric.waitAWhile
	}
	release, err := take(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	pair, err := crypto.ParsePrivateKey(binding.Algorithm, private)
	if err != nil {
		return nil, err
	}
	size := algorithmOf(im.key.Spec).MaterialBytes()
	material, err := pair.DecryptImport(im.scheme(), encrypted, size)
	switch {
	case errors.Is(err, crypto.ErrDecrypt):
		return nil, newError(CodeInvalidKeyMaterial, "it does not decrypt under the public key of the token, or is not "+decimal(int64(size))+" bytes long")
	case errors.Is(err, crypto.ErrNotApproved):
		return nil, newError(CodeInvalidKeyMaterial, "its wrapping algorithm is not served in FIPS-only mode")
	}
	return material, err
}

// importCommand wraps the material for its version: a new one at first, later always the same, since only the same
// material can be imported again and what was sealed under it has to open.
func (c *Call) importCommand(im *importing, material crypto.Secret) (*storepb.ImportKeyMaterial, error) {
	k, region := im.key, c.server.cfg.Region
	algorithm := algorithmOf(k.Spec)
	version, fingerprint := k.ImportVersion, k.ImportFingerprint
	if len(fingerprint) == 0 {
		version = crypto.NewVersionID()
	}
	place := crypto.MaterialOf(c.server.cfg.RegionID, k.ID, version, algorithm)
	if len(fingerprint) == 0 {
		var err error
		if fingerprint, err = region.Fingerprint(place, material); err != nil {
			return nil, err
		}
	} else {
		same, err := region.SameMaterial(place, fingerprint, material)
		if err != nil {
			return nil, err
		}
		if !same {
			return nil, errOtherMaterial()
		}
	}
	wrapped, err := region.Wrap(place, material)
	if err != nil {
		return nil, err
	}
	if err := region.SelfCheck(place, wrapped); err != nil {
		return nil, err
	}
	token := im.hash[:]
	if im.used {
		token = nil
	}
	return &storepb.ImportKeyMaterial{
		KeyId: idBytes(k.ID), TokenHash: token, VersionId: idBytes(version), Algorithm: uint32(algorithm), Wrapped: wrapped, Fingerprint: fingerprint,
	}, nil
}

func errOtherMaterial() error {
	return newError(CodeInvalidKeyMaterial, "it is not the material that the key had before")
}

func handleDeleteKeyMaterial(ctx context.Context, c *Call) error {
	id, err := c.writtenKey(paramKeyID, c.Action.RAM[0])
	if err != nil {
		return err
	}
	body := &storepb.DeleteKeyMaterial{KeyId: idBytes(id)}
	_, err = c.propose(ctx, &storepb.Command{Body: &storepb.Command_DeleteKeyMaterial{DeleteKeyMaterial: body}}, subject{
		key: id,
		refusal: func(result *storepb.Result) error {
			if result.Code == storepb.Code_UNSUPPORTED_ORIGIN {
				return newError(CodeUnsupportedOrigin, id, originOwn, c.Action.Name)
			}
			return nil
		},
	})
	return err
}
