package api

import "context"

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
	return c.withPair(ctx, usageEncrypt, check, func(p *pairCall) error {
		scheme, err := p.encryptionScheme(paramAlgorithm)
		if err != nil {
			return err
		}
		ciphertext, err := p.pair.Public().Encrypt(scheme, plaintext)
		if err != nil {
			return err
		}
		p.Answer.Base64(paramBlob, ciphertext)
		return nil
	})
}

func handleAsymmetricDecrypt(ctx context.Context, c *Call) error {
	ciphertext, err := c.readBase64(paramBlob)
	if err != nil {
		return errNotDecrypted()
	}
	check := func(p *pairCall) error {
		_, err := p.encryptionScheme(paramAlgorithm)
		return err
	}
	return c.withPair(ctx, usageEncrypt, check, func(p *pairCall) error {
		scheme, err := p.encryptionScheme(paramAlgorithm)
		if err != nil {
			return err
		}
		plaintext, err := p.decrypt(scheme, ciphertext)
		if err != nil {
			return err
		}
		defer plaintext.Wipe()
		p.Answer.Base64("Plaintext", plaintext)
		return nil
	})
}
