package api

import (
	"context"

	"meridian/store"
)

func handleReEncrypt(ctx context.Context, c *Call) (err error) {
	if err := c.refuseAsymmetricSource(); err != nil {
		return err
	}
	w := newCryptoCall()
	defer w.release()
	if w.blob, err = c.readBlob(); err != nil {
		return err
	}
	if w.source, err = c.encryptionContext(contextOfSource); err != nil {
		return err
	}
	if w.context, err = c.encryptionContext(contextOfDestination); err != nil {
		return err
	}
	return w.onOneView(ctx, c, reEncrypt)
}

// reEncrypt does the work of ReEncrypt on one view.
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
	const name = "SourceKeyId"
	if w.Params.value(name) == "" {
		return nil
	}
	named, err := w.findKey(v, name, need)
	if err != nil {
		return err
	}
	if named.ID != source.ID {
		return errInvalid(name, "the blob was sealed under another key")
	}
	return nil
}

// refuseAsymmetricSource answers a request whose ciphertext was made with an asymmetric key: these are not served yet.
func (c *Call) refuseAsymmetricSource() error {
	needed := [...]string{"SourceKeyId", "SourceKeyVersionId", "SourceEncryptionAlgorithm"}
	if c.Params.value(needed[1]) == "" && c.Params.value(needed[2]) == "" {
		return nil
	}
	for _, name := range needed {
		if c.Params.value(name) == "" {
			return errMissing(name)
		}
	}
	return newError(CodeUnsupportedOperation, c.Action.Name, "asymmetric source keys are not served yet")
}
