package api

import (
	"context"
	"encoding/pem"
)

func handleGetPublicKey(ctx context.Context, c *Call) error {
	nothing := func(*pairCall) error { return nil }
	return c.withPair(ctx, "", nothing, nil, func(p *pairCall) {
		block := &pem.Block{Type: "PUBLIC KEY", Bytes: p.pair.Public().DER()} // RFC 7468 section 13
		p.Answer.Text("PublicKey", string(pem.EncodeToMemory(block)))
	})
}
