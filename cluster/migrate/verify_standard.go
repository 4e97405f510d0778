package migrate

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"meridian/crypto"
)

// Verify has both regions export data keys under a key pair that lives as long as this call: so both have to allow exports
// to any key. The data keys are compared in memory of this process, one pair at a time and workers at once, and wiped.
func (s *Standard) Verify(ctx context.Context, pairs Pairs, choose func() bool, workers int) (*Verification, error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(pair.Public())
	if err != nil {
		return nil, err
	}
	v := &standardVerifier{way: s, pair: pair, public: base64.StdEncoding.EncodeToString(der)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(workers, 1))
	readErr := v.read(ctx, pairs, choose, func(before, after *Row) error {
		group.Go(func() error { return v.compare(ctx, before, after) })
		return ctx.Err()
	})
	if err := errors.Join(group.Wait(), readErr); err != nil {
		return nil, err
	}
	return &v.result, nil
}

type standardVerifier struct {
	verification
	way    *Standard
	pair   *rsa.PrivateKey
	public string
}

// compare has both regions export their data key, and compares.
func (v *standardVerifier) compare(ctx context.Context, before, after *Row) error {
	was, refused, err := v.open(ctx, v.way.from, before)
	defer was.Wipe()
	var is crypto.Secret
	if refused == nil && err == nil {
		is, refused, err = v.open(ctx, v.way.to, after)
	}
	defer is.Wipe()
	if err != nil {
		return err
	}
	if refused == nil && subtle.ConstantTimeCompare(was, is) != 1 {
		refused = errDiffers()
	}
	v.compared(before, refused)
	return nil
}

// open has a region export a data key to this process.
func (v *standardVerifier) open(ctx context.Context, r *Region, row *Row) (crypto.Secret, *RowError, error) {
	opening, err := contextParam(row.Context)
	if err != nil {
		return nil, nil, err
	}
	var exported struct{ ExportedDataKey string }
	err = r.Call(ctx, "ExportDataKey", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": opening,
		"PublicKeyBlob": v.public, "WrappingAlgorithm": exportScheme, "WrappingKeySpec": "RSA_2048",
	}, &exported)
	if refused, err := refusal(err); refused != nil || err != nil {
		return nil, refused, err
	}
	ciphertext, err := base64.StdEncoding.DecodeString(exported.ExportedDataKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: ExportDataKey answered with no Base64", r.ID)
	}
	dataKey, err := rsa.DecryptOAEP(sha256.New(), nil, v.pair, ciphertext, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: what ExportDataKey answered does not decrypt", r.ID)
	}
	return dataKey, nil, nil
}
