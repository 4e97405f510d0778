package api

import (
	"errors"

	"meridian/crypto"
	"meridian/store"
)

// paramBlob is the parameter with the ciphertext of Decrypt and ReEncrypt.
const paramBlob = "CiphertextBlob"

// errBlob is the one answer to a blob that does not open: damaged, sealed in another context, or none of ours. A caller
// who could tell these apart would learn something about what is inside.
func errBlob() *Error {
	e := newError(CodeInvalidParameter, paramBlob, "")
	e.Message = "CiphertextBlob does not open: it is damaged, its encryption context is another, or it is not one of ours."
	return e
}

// readBlob decodes the blob of a request and takes it apart. It points into the scratch space of the request.
func (c *Call) readBlob() (crypto.Blob, error) {
	text := c.Params.value(paramBlob)
	n := decodedLen(text)
	if n < 0 || int64(n) > blobParam.Max {
		return crypto.Blob{}, errBlob()
	}
	raw, ok := decodeBase64(c.Scratch(n), text)
	if !ok {
		return crypto.Blob{}, errBlob()
	}
	blob, err := crypto.ParseBlob(raw)
	if err != nil {
		return crypto.Blob{}, errBlob()
	}
	if err := c.ownBlob(&blob); err != nil {
		return crypto.Blob{}, err
	}
	return blob, nil
}

// ownBlob refuses a blob of another region, and says where it belongs.
func (c *Call) ownBlob(blob *crypto.Blob) error {
	own := c.server.cfg.RegionID
	if blob.Region == own {
		return nil
	}
	e := newError(CodeInvalidParameterWrongRegion, paramBlob, blob.Region, own)
	e.Message = "This blob was sealed in " + blob.Region + " by key " + blob.KeyID.String() + " version " + blob.VersionID.String() +
		". This region, " + own + ", can't open it. Ask that region, or move the ciphertext: meridian reencrypt KEY --to-region " + own
	return e
}

// openingKey finds the key that a blob names, judges permission and state, and returns the cipher of its version. The
// record decides which algorithm opens it, never the blob.
func (w *cryptoCall) openingKey(v *store.View, need Permission) (*store.Key, crypto.Cipher, error) {
	k, err := w.keyByID(v, w.blob.KeyID, need.Action)
	if err != nil {
		return nil, nil, err
	}
	if err := w.checkState(k); err != nil {
		return nil, nil, err
	}
	if err := w.symmetric(k); err != nil {
		return nil, nil, err
	}
	version, err := v.Version(k.ID, w.blob.VersionID)
	if errors.Is(err, store.ErrVersionNotFound) {
		return nil, nil, errBlob()
	}
	if err != nil {
		return nil, nil, err
	}
	if version.Algorithm != w.blob.Algorithm {
		return nil, nil, errBlob()
	}
	x, err := w.server.cfg.Region.Cipher(v, k, version.ID)
	return k, x, err
}

// open opens the blob of the request in context into scratch space.
func (w *cryptoCall) open(x crypto.Cipher, context crypto.Context) ([]byte, error) {
	plaintext, err := w.blob.Open(w.Scratch(w.blob.PlaintextBytes()), x, context)
	if err != nil {
		return nil, errBlob()
	}
	return plaintext, nil
}
