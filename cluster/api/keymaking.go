package api

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"meridian/crypto"
)

// An RSA key pair costs a hundred thousand times what an Encrypt does, so each principal gets only so many: at once, and
// one more for each interval.
const (
	keyPairBurst    = 100
	keyPairInterval = 250 * time.Millisecond
	// keyPairCallers bounds the principals that are remembered.
	keyPairCallers = 10_000
)

// keyPairLimits holds the rates of those who asked for RSA key pairs lately.
type keyPairLimits struct {
	byPrincipal *otter.Cache[string, *rate.Limiter]
}

func newKeyPairLimits() (*keyPairLimits, error) {
	cache, err := otter.New(&otter.Options[string, *rate.Limiter]{
		MaximumSize:      keyPairCallers,
		ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](keyPairBurst * keyPairInterval),
	})
	if err != nil {
		return nil, err
	}
	return &keyPairLimits{cache}, nil
}

func (l *keyPairLimits) close() { l.byPrincipal.StopAllGoroutines() }

// allow counts one pair against a principal, or says when it may come again.
func (l *keyPairLimits) allow(principal string, now time.Time) error {
	limiter, _ := l.byPrincipal.ComputeIfAbsent(principal, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(keyPairInterval), keyPairBurst), false
	})
	if limiter == nil || limiter.AllowN(now, 1) {
		return nil
	}
	return errThrottled("this caller has made many RSA keys lately", time.Second)
}

// newKeyPair makes a pair for this request: RSA ones come from the pool, as many as the caller's rate allows.
func (c *Call) newKeyPair(ctx context.Context, a crypto.Algorithm) (*crypto.PrivateKey, error) {
	if a != crypto.AlgorithmRSA2048 && a != crypto.AlgorithmRSA3072 {
		return crypto.GenerateKey(a)
	}
	if err := c.server.keyPairs.allow(c.Identity.Principal, c.server.cfg.Now()); err != nil {
		return nil, err
	}
	return c.server.keys.take(ctx, a)
}

// newMaterial makes the material of a new version, for the place that it belongs to: it leaves this node wrapped only,
// and only after it has been seen to work.
func (c *Call) newMaterial(ctx context.Context, b crypto.Binding) (wrapped []byte, err error) {
	var material crypto.Secret
	if b.Algorithm.Symmetric() {
		material = crypto.NewMaterial(b.Algorithm)
	} else {
		pair, err := c.newKeyPair(ctx, b.Algorithm)
		if err != nil {
			return nil, err
		}
		if material, err = pair.Marshal(); err != nil {
			return nil, err
		}
	}
	defer material.Wipe()
	region := c.server.cfg.Region
	if wrapped, err = region.Wrap(b, material); err != nil {
		return nil, err
	}
	return wrapped, c.selfCheck(ctx, b, wrapped)
}

// selfCheck proves that wrapped material does what it is for.
func (c *Call) selfCheck(ctx context.Context, b crypto.Binding, wrapped []byte) error {
	if !b.Algorithm.Symmetric() {
		release, err := c.server.asymmetric.take(ctx)
		if err != nil {
			return err
		}
		defer release()
	}
	return c.server.cfg.Region.SelfCheck(b, wrapped)
}
