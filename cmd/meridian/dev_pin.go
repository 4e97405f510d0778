package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"meridian/cluster/api/batch"
	"meridian/cluster/api/client"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto"
)

// transportKey is a region's transport key as GetTransportKey answers it.
type transportKey struct {
	TransportKeyVersion int
	PublicKey           []byte
	Fingerprint         string
}

// pinTransportKeys has every region pin the transport keys of the others, so that data keys can move between them
// whatever export.allow says, and waits until every node does.
func (d *devRun) pinTransportKeys(ctx context.Context) error {
	ownPeers := slices.ContainsFunc(d.o.set, func(s string) bool { return strings.HasPrefix(s, "peers") })
	if len(d.layout.Regions) < 2 || ownPeers {
		return nil
	}
	keys := map[*devregion.Region]transportKey{}
	for _, r := range d.layout.Regions {
		k, err := readTransportKey(ctx, r)
		if err != nil {
			return fmt.Errorf("region %s: transport key: %w", r.ID, err)
		}
		keys[r], r.TransportKey = k, k.Fingerprint
	}
	if err := d.layout.Pin(); err != nil {
		return err
	}
	for _, p := range d.running {
		p.Signal(syscall.SIGHUP)
	}
	for _, r := range d.layout.Regions {
		for _, n := range r.Nodes {
			if err := awaitPins(ctx, r, n, keys); err != nil {
				return fmt.Errorf("node %s: it does not pin the transport keys of the other regions: %w", n.ID, err)
			}
		}
	}
	return nil
}

// readTransportKey waits for a region that is making its first one.
func readTransportKey(ctx context.Context, r *devregion.Region) (k transportKey, err error) {
	c, err := devClient(r, r.Nodes...)
	if err != nil {
		return k, err
	}
	defer c.Close()
	err = untilServed(ctx, func() error {
		_, err := c.CallOwn(ctx, "GetTransportKey", nil, &k)
		return err
	})
	return k, err
}

// awaitPins waits until a node would export a data key to each other region.
func awaitPins(ctx context.Context, r *devregion.Region, n *devregion.Node, keys map[*devregion.Region]transportKey) error {
	c, err := devClient(r, n)
	if err != nil {
		return err
	}
	defer c.Close()
	var sealed struct{ CiphertextBlob string }
	if _, err := c.Call(ctx, "Encrypt", map[string]string{"KeyId": demoAlias, "Plaintext": "AA=="}, &sealed); err != nil {
		return err
	}
	blob, err := base64.StdEncoding.DecodeString(sealed.CiphertextBlob)
	if err != nil {
		return err
	}
	for other, key := range keys {
		if other == r {
			continue
		}
		body := batch.AppendBytes(batch.AppendBytes(batch.AppendBytes(nil, key.PublicKey), blob), crypto.Context{}.Canonical())
		params := map[string]string{"To": other.ID, "TransportKeyVersion": fmt.Sprint(key.TransportKeyVersion), "DryRun": "true"}
		if err := untilServed(ctx, func() error {
			_, err := c.CallRows(ctx, "ExportDataKeys", params, body)
			var answer *client.Error
			if errors.As(err, &answer) && answer.Code == "DryRunOperationError" {
				return nil
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// untilServed asks again while a region is not ready, or has not read its configuration yet.
func untilServed(ctx context.Context, ask func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 10*time.Millisecond, 200*time.Millisecond
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, ask() }, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0))
	return err
}
