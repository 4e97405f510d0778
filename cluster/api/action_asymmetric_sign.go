package api

import "context"

func handleAsymmetricSign(ctx context.Context, c *Call) error {
	digest, err := c.readBase64("Digest")
	if err != nil {
		return err
	}
	var signature []byte
	sign := func(p *pairCall) error {
		scheme, err := p.signatureScheme()
		if err != nil {
			return err
		}
		signature, err = p.pair.Sign(scheme, digest)
		return err
	}
	return c.withPair(ctx, usageSign, checkSignatureScheme, sign, func(p *pairCall) { p.Answer.Base64("Value", signature) })
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
	right := false
	verify := func(p *pairCall) error {
		scheme, err := p.signatureScheme()
		if err != nil {
			return err
		}
		right, err = p.pair.Public().Verify(scheme, digest, signature)
		return err
	}
	return c.withPair(ctx, usageSign, checkSignatureScheme, verify, func(p *pairCall) { p.Answer.Bool("Value", right) })
}

func checkSignatureScheme(p *pairCall) error {
	_, err := p.signatureScheme()
	return err
}
