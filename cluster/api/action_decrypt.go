package api

import (
	"context"

	"meridian/store"
)

func handleDecrypt(ctx context.Context, c *Call) (err error) {
	w := newCryptoCall()
	defer w.release()
	if w.blob, err = c.readBlob(); err != nil {
		return err
	}
	if w.context, err = c.encryptionContext(contextOfBlob); err != nil {
		return err
	}
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error {
		k, x, err := w.openingKey(v, w.Action.RAM[0])
		if err != nil {
			return err
		}
		if w.dryRun() {
			return errDryRun()
		}
		plaintext, err := w.open(x, w.context)
		if err != nil {
			return err
		}
		w.answerKeyVersion(k.ID, w.blob.VersionID)
		w.Answer.Base64("Plaintext", plaintext)
		clear(plaintext)
		return nil
	})
}
