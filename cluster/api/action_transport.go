package api

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"meridian/store"
	"meridian/store/storepb"
)

func handleGetTransportKey(ctx context.Context, c *Call) error {
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	return c.read(ctx, func(v *store.View) error {
		record, err := v.TransportKey(0)
		if errors.Is(err, store.ErrNoTransportKey) {
			return errNoTransportKey()
		}
		if err != nil {
			return err
		}
		key, err := c.server.cfg.Region.TransportKey(v, record.Version)
		if err != nil {
			return err
		}
		fingerprint := key.Public().Fingerprint()
		c.Answer.Text("RegionId", c.server.cfg.RegionID)
		c.Answer.Number(paramTransportVersion, int64(record.Version))
		c.Answer.Base64("PublicKey", key.Public().Bytes())
		c.Answer.Text("Fingerprint", "sha256:"+hex.EncodeToString(fingerprint[:]))
		c.Answer.Time("CreationDate", record.Created)
		return nil
	})
}

func handleRotateTransportKey(ctx context.Context, c *Call) error {
	if err := c.authorizeContainer(); err != nil {
		return err
	}
	expected := uint32(0)
	err := c.read(ctx, func(v *store.View) error {
		record, err := v.TransportKey(0)
		if errors.Is(err, store.ErrNoTransportKey) {
			return nil
		}
		if err == nil {
			expected = record.Version
		}
		return err
	})
	if err != nil {
		return err
	}
	command, err := c.server.cfg.Region.NewTransportKey(expected)
	if err != nil {
		return err
	}
	result, err := c.propose(ctx, &storepb.Command{Body: &storepb.Command_AddTransportKey{AddTransportKey: command}}, subject{refusal: func(result *storepb.Result) error {
		if result.Code == storepb.Code_PRIMARY_CHANGED {
			return errThrottled("another rotation of the transport key came first", time.Second)
		}
		return nil
	}})
	if err != nil {
		return err
	}
	c.Answer.Number(paramTransportVersion, int64(result.TransportVersion))
	return nil
}

// errNoTransportKey is the answer of a region whose leader has not made the first transport key yet.
func errNoTransportKey() *Error {
	return errUnavailable("the region has no transport key yet", time.Second)
}
