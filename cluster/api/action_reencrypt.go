package api

import (
	"context"

	"meridian/crypto"
	"meridian/store"
)

// Parameters of a source that is an asymmetric key: all of them or none.
const (
	paramSourceKey       = "SourceKeyId"
	paramSourceVersion   = "SourceKeyVersionId"
	paramSourceAlgorithm = "SourceEncryptionAlgorithm"
)

func handleReEncrypt(ctx context.Context, c *Call) (err error) {
	w := newCryptoCall()
	defer w.release()
	if w.context, err = c.encryptionContext(contextOfDestination); err != nil {
		return err
	}
	if w.source, err = c.encryptionContext(contextOfSource); err != nil {
		return err
	}
	if c.Params.value(paramSourceVersion) != "" || c.Params.value(paramSourceAlgorithm) != "" {
		return w.fromPair(ctx, c)
	}
	if w.blob, err = c.readBlob(); err != nil {
		return err
	}
	return w.onOneView(ctx, c, reEncrypt)
}

// reEncrypt does the work for a blob of ours on one view.
func reEncrypt(w *cryptoCall, v *store.View) error {
	from, to := w.Action.RAM[0], w.Action.RAM[1]
	source, x, err := w.openingKey(v, from)
	if err != nil {
		return err
	}
	if err := w.checkSource(v, source, from); err != nil {
		return err
	}
	destination, err := w.usableKey(v, "DestinationKeyId", to)
	if err != nil {
		return err
	}
	if !w.dryRun() {
		if w.plaintext, err = w.open(x, w.source); err != nil {
			return err
		}
		defer clear(w.plaintext)
	}
	return w.sealFor(v, destination)
}

// checkSource compares the source key of the request, where one is named, with the one that the blob names.
func (w *cryptoCall) checkSource(v *store.View, source *store.Key, need Permission) error {
	if w.Params.value(paramSourceKey) == "" {
		return nil
	}
	named, err := w.findKey(v, paramSourceKey, need)
	if err != nil {
		return err
	}
	if named.ID != source.ID {
		return errInvalid(paramSourceKey, "the blob was sealed under another key")
	}
	return nil
}

// fromPair takes a ciphertext that was made with the public half of a key of this region, as another region exports data
// keys.
func (w *cryptoCall) fromPair(ctx context.Context, c *Call) error {
	for _, name := range []string{paramSourceKey, paramSourceVersion, paramSourceAlgorithm} {
		if c.Params.value(name) == "" {
			return errMissing(name)
		}
	}
	if !w.source.Empty() {
		return errInvalid("SourceEncryptionContext", "what an asymmetric key encrypted has none")
	}
	ciphertext, err := c.readBase64(paramBlob)
	if err != nil {
		return errNotDecrypted()
	}
	release, err := c.server.asymmetric.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error { return w.reEncryptFromPair(v, ciphertext) })
}

// reEncryptFromPair does the work for a ciphertext of a pair on one view.
func (w *cryptoCall) reEncryptFromPair(v *store.View, ciphertext []byte) error {
	from, to := w.Action.RAM[0], w.Action.RAM[1]
	p, err := w.findPair(v, paramSourceKey, paramSourceVersion, from)
	if err != nil {
		return err
	}
	if p.key.Usage != usageEncrypt {
		return w.errUnsupported("key " + p.key.ID.String() + " is for " + p.key.Usage)
	}
	scheme, err := p.encryptionScheme(paramSourceAlgorithm)
	if err != nil {
		return err
	}
	destination, err := w.usableKey(v, "DestinationKeyId", to)
	if err != nil {
		return err
	}
	if !w.dryRun() {
		plaintext, err := p.decrypt(scheme, ciphertext)
		if err != nil {
			return err
		}
		defer plaintext.Wipe()
		w.plaintext = plaintext
		if len(plaintext) > crypto.MaxBlobBytes-crypto.BlobBytes(w.server.cfg.RegionID, 0) {
			return errNotDecrypted()
		}
	}
	return w.sealFor(v, destination)
}
