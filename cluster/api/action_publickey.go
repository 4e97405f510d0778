package api

import (
	"context"
	"encoding/pem"
)

func handleGetPublicKey(ctx context.Context, c *Call) error {
	check := func(*pairCall) error { return nil }
	return c.withPair(ctx, "", check, func(p *pairCall) error {
		block := &pem.Block{Type: "PUBLIC KEY", Bytes: p.pair.Public().DER()} // RFC 7468 section 13
		p.Answer.Text("PublicKey", string(pem.EncodeToMemory(block)))
		return nil
	})
}
