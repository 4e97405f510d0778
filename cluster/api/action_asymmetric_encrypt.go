package api

import (
	"context"

	"meridian/crypto"
)

func handleAsymmetricEncrypt(ctx context.Context, c *Call) error {
	plaintext, err := c.readBase64("Plaintext")
	if err != nil {
		return err
	}
	check := func(p *pairCall) error {
		scheme, err := p.encryptionScheme(paramAlgorithm)
		if err != nil {
			return err
		}
		if most := p.pair.Algorithm().MaxPlaintext(scheme); len(plaintext) > most {
			return errInvalid("Plaintext", "with this key and algorithm it may hold "+decimal(int64(most))+" bytes")
		}
		return nil
	}
	var ciphertext []byte
	encrypt := func(p *pairCall) error {
		scheme, err := p.encryptionScheme(paramAlgorithm)
		if err != nil {
			return err
		}
		ciphertext, err = p.pair.Public().Encrypt(scheme, plaintext)
		return err
	}
	return c.withPair(ctx, usageEncrypt, check, encrypt, func(p *pairCall) { p.Answer.Base64(paramBlob, ciphertext) })
}

func handleAsymmetricDecrypt(ctx context.Context, c *Call) error {
	ciphertext, err := c.readBase64(paramBlob)
	if err != nil {
		return err
	}
	check := func(p *pairCall) error {
		scheme, err := p.encryptionScheme(paramAlgorithm)
		if err != nil {
			return err
		}
		return p.checkLength(scheme, ciphertext)
	}
	var plaintext crypto.Secret
	defer func() { plaintext.Wipe() }()
	decrypt := func(p *pairCall) error {
		scheme, err := p.encryptionScheme(paramAlgorithm)
		if err != nil {
			return err
		}
		plaintext, err = p.decrypt(scheme, ciphertext)
		return err
	}
	return c.withPair(ctx, usageEncrypt, check, decrypt, func(p *pairCall) { p.Answer.Base64("Plaintext", plaintext) })
}
