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
	p, scheme, err := w.sourcePair(ctx, c, ciphertext)
	if err != nil {
		return err
	}
	if c.dryRun() {
		return errDryRun()
	}
	var plaintext crypto.Secret
	defer func() { plaintext.Wipe() }()
	err = p.inSlot(ctx, func(p *pairCall) error {
		plaintext, err = p.decrypt(scheme, ciphertext)
		return err
	})
	if err != nil {
		return err
	}
	if len(plaintext) > crypto.MaxBlobBytes-crypto.BlobBytes(c.server.cfg.RegionID, 0) {
		return errNotDecrypted()
	}
	w.plaintext = plaintext
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error {
		if err := p.stillAllowed(v, c.Action.RAM[0]); err != nil {
			return err
		}
		destination, err := w.usableKey(v, "DestinationKeyId", c.Action.RAM[1])
		if err != nil {
			return err
		}
		return w.sealFor(v, destination)
	})
}

// sourcePair finds the pair and judges everything before it is used, the destination too.
func (w *cryptoCall) sourcePair(ctx context.Context, c *Call, ciphertext []byte) (p *pairCall, scheme crypto.EncryptionScheme, err error) {
	err = w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) (err error) {
		if p, err = w.findPair(v, paramSourceKey, paramSourceVersion, c.Action.RAM[0]); err != nil {
			return err
		}
		if p.key.Usage != usageEncrypt {
			return w.errUnsupported("key " + p.key.ID.String() + " is for " + p.key.Usage)
		}
		if scheme, err = p.encryptionScheme(paramSourceAlgorithm); err != nil {
			return err
		}
		if err := p.checkLength(scheme, ciphertext); err != nil {
			return err
		}
		_, err = w.usableKey(v, "DestinationKeyId", c.Action.RAM[1])
		return err
	})
	return p, scheme, err
}
