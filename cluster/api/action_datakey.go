package api

import (
	"context"
	"crypto/rand"

	"meridian/store"
)

// maxDataKeyBytes is the longest data key (NumberOfBytes).
const maxDataKeyBytes = 1024

func handleGenerateDataKey(ctx context.Context, c *Call) error { return generateDataKey(ctx, c, true) }

func handleGenerateDataKeyWithoutPlaintext(ctx context.Context, c *Call) error {
	return generateDataKey(ctx, c, false)
}

func generateDataKey(ctx context.Context, c *Call, inClear bool) (err error) {
	w := newCryptoCall()
	defer w.release()
	if w.context, err = c.encryptionContext(contextOfBlob); err != nil {
		return err
	}
	w.withDataKey = inClear
	w.plaintext = c.Scratch(maxDataKeyBytes)[:c.dataKeyBytes()]
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error {
		k, err := w.usableKey(v, "KeyId", w.Action.RAM[0])
		if err != nil {
			return err
		}
		rand.Read(w.plaintext)
		if err := w.sealFor(v, k); err != nil {
			return err
		}
		if w.withDataKey {
			w.Answer.Base64("Plaintext", w.plaintext)
		}
		clear(w.plaintext)
		return nil
	})
}

// dataKeyBytes is the length of the data key that is asked for.
func (c *Call) dataKeyBytes() int64 {
	bytes := int64(32) // AES_256
	if c.value("KeySpec") == "AES_128" {
		bytes = 16
	}
	return c.Params.integer("NumberOfBytes", bytes)
}
