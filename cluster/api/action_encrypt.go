package api

import (
	"context"

	"meridian/store"
)

func handleEncrypt(ctx context.Context, c *Call) (err error) {
	w := newCryptoCall()
	defer w.release()
	if w.plaintext, err = c.readPlaintext(); err != nil {
		return err
	}
	if w.context, err = c.encryptionContext(contextOfBlob); err != nil {
		return err
	}
	return w.onOneView(ctx, c, func(w *cryptoCall, v *store.View) error {
		k, err := w.usableKey(v, "KeyId", w.Action.RAM[0])
		if err != nil {
			return err
		}
		return w.sealFor(v, k)
	})
}

// readPlaintext decodes the plaintext of a request into scratch space, which is wiped. The region's setting bounds it.
func (c *Call) readPlaintext() ([]byte, error) {
	const name = "Plaintext"
	text := c.Params.value(name)
	if reason := base64Fault(text, 1, int64(c.server.cfg.Limits.Plaintext)); reason != "" {
		return nil, errInvalid(name, reason)
	}
	plaintext, ok := decodeBase64(c.Scratch(len(text)/4*3), text)
	if !ok {
		return nil, errInvalid(name, errBase64)
	}
	return plaintext, nil
}
