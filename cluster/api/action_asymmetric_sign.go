package api

import "context"

func handleAsymmetricSign(ctx context.Context, c *Call) error {
	digest, err := c.readBase64("Digest")
	if err != nil {
		return err
	}
	return c.withPair(ctx, usageSign, checkSignatureScheme, func(p *pairCall) error {
		scheme, err := p.signatureScheme()
		if err != nil {
			return err
		}
		signature, err := p.pair.Sign(scheme, digest)
		if err != nil {
			return err
		}
		p.Answer.Base64("Value", signature)
		return nil
	})
}

func handleAsymmetricVerify(ctx context.Context, c *Call) error {
	digest, err := c.readBase64("Digest")
	if err != nil {
		return err
	}
	signature, err := c.readBase64("Value")
	if err != nil {
		return err
	}
	return c.withPair(ctx, usageSign, checkSignatureScheme, func(p *pairCall) error {
		scheme, err := p.signatureScheme()
		if err != nil {
			return err
		}
		right, err := p.pair.Public().Verify(scheme, digest, signature)
		if err != nil {
			return err
		}
		p.Answer.Bool("Value", right)
		return nil
	})
}

func checkSignatureScheme(p *pairCall) error {
	_, err := p.signatureScheme()
	return err
}
