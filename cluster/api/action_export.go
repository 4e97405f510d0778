package api

import (
	"context"
	"crypto/rand"

	"meridian/store"
)

func handleExportDataKey(ctx context.Context, c *Call) (err error) {
	w := newCryptoCall()
	defer w.release()
	if w.blob, err = c.readBlob(); err != nil {
		return err
	}
	if w.context, err = c.encryptionContext(contextOfBlob); err != nil {
		return err
	}
	if w.target, err = c.exportTarget(); err != nil {
		return err
	}
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error {
		k, x, err := w.openingKey(v, w.Action.RAM[0])
		if err != nil {
			return err
		}
		if err := w.allowExport(w.target); err != nil {
			return err
		}
		// The length is no secret to who may have the content.
		if err := w.target.fits(paramPublicKey, w.blob.PlaintextBytes()); err != nil {
			return err
		}
		if w.dryRun() {
			return errDryRun()
		}
		plaintext, err := w.open(x, w.context)
		if err != nil {
			return err
		}
		defer clear(plaintext)
		w.answerKeyVersion(k.ID, w.blob.VersionID)
		return w.exportTo(w.target, plaintext)
	})
}

func handleGenerateAndExportDataKey(ctx context.Context, c *Call) (err error) {
	w := newCryptoCall()
	defer w.release()
	if w.context, err = c.encryptionContext(contextOfBlob); err != nil {
		return err
	}
	if w.target, err = c.exportTarget(); err != nil {
		return err
	}
	if err := w.target.fits("NumberOfBytes", int(c.dataKeyBytes())); err != nil {
		return err
	}
	w.plaintext = c.Scratch(maxDataKeyBytes)[:c.dataKeyBytes()]
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error {
		k, err := w.usableKey(v, paramKeyID, w.Action.RAM[0])
		if err != nil {
			return err
		}
		if err := w.allowExport(w.target); err != nil {
			return err
		}
		rand.Read(w.plaintext)
		defer clear(w.plaintext)
		if err := w.sealFor(v, k); err != nil {
			return err
		}
		return w.exportTo(w.target, w.plaintext)
	})
}

// exportTo answers with a data key, encrypted under the target.
func (c *Call) exportTo(t *target, plaintext []byte) error {
	exported, err := t.public.Encrypt(t.scheme, plaintext)
	if err != nil {
		return err
	}
	c.Answer.Base64("ExportedDataKey", exported)
	return nil
}
