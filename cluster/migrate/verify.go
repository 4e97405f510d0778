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
	"io"
	mathrand "math/rand/v2"
	"sync"

	"golang.org/x/sync/errgroup"

	"meridian/crypto"
)

// Verification is what came of comparing data keys before and after a move.
type Verification struct {
	Rows     int64     `json:"rows"`
	Moved    int64     `json:"moved"`   // rows with another blob than before
	Checked  int64     `json:"checked"` // of these, whose data keys were compared
	Equal    int64     `json:"equal"`   // of these, that are the same data key
	Failures []Failure `json:"failures,omitempty"`
}

// Faults of a verification.
const (
	FaultDiffers = "Differs" // the new blob holds another data key
	FaultRows    = "Rows"    // input and output are not the same rows
)

// ErrRows says that an output does not have the rows of its input.
var ErrRows = errors.New("input and output have different rows")

// Verify compares data keys before and after a move, of each row that was moved with a chance, from 0 to 1. Both regions
// export the data key under a key pair that lives as long as this call: so both have to allow exports to any key. The data
// keys are compared in memory of this process, one pair at a time and workers at once, and wiped.
func (s *Standard) Verify(ctx context.Context, before, after Format, chance float64, workers int) (*Verification, error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(pair.Public())
	if err != nil {
		return nil, err
	}
	v := &verifier{way: s, pair: pair, public: base64.StdEncoding.EncodeToString(der)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(workers, 1))
	readErr := v.read(before, after, func(old, moved *Row) {
		if mathrand.Float64() < chance {
			group.Go(func() error { return v.compare(ctx, old, moved) })
		}
	})
	if err := errors.Join(readErr, group.Wait()); err != nil {
		return nil, err
	}
	return &v.result, nil
}

type verifier struct {
	way    *Standard
	pair   *rsa.PrivateKey
	public string

	mu     sync.Mutex
	result Verification
}

// read goes through input and output side by side.
func (v *verifier) read(before, after Format, moved func(old, moved *Row)) error {
	for {
		old, err := before.Next()
		row, afterErr := after.Next()
		switch {
		case err == io.EOF && afterErr == io.EOF:
			return nil
		case err == io.EOF || afterErr == io.EOF:
			return fmt.Errorf("%w: one of them ends after %d rows", ErrRows, v.result.Rows)
		case err != nil || afterErr != nil:
			return errors.Join(err, afterErr)
		case old.ID != row.ID || !old.Context.Equal(row.Context):
			return fmt.Errorf("%w: row %d is another one in the output", ErrRows, old.Number)
		}
		v.mu.Lock()
		v.result.Rows++
		differs := old.Fault == nil && row.Fault == nil && string(old.Blob) != string(row.Blob)
		if differs {
			v.result.Moved++
		}
		v.mu.Unlock()
		if differs {
			moved(old, row)
		}
	}
}

// compare has both regions export their data key, and compares.
func (v *verifier) compare(ctx context.Context, old, row *Row) error {
	was, refused, err := v.open(ctx, v.way.from, old)
	defer was.Wipe()
	var is crypto.Secret
	if refused == nil && err == nil {
		is, refused, err = v.open(ctx, v.way.to, row)
	}
	defer is.Wipe()
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Checked++
	switch {
	case refused != nil:
	case subtle.ConstantTimeCompare(was, is) == 1:
		v.result.Equal++
		return nil
	default:
		refused = fault(FaultDiffers, "the new blob holds another data key")
	}
	v.result.Failures = append(v.result.Failures, Failure{Row: old.Number, Line: old.Line, ID: old.ID, Code: refused.Code, Reason: refused.Reason})
	return nil
}

// open has a region export a data key to this process.
func (v *verifier) open(ctx context.Context, r *Region, row *Row) (crypto.Secret, *RowError, error) {
	sealing, err := contextParam(row.Context)
	if err != nil {
		return nil, nil, err
	}
	var exported struct{ ExportedDataKey string }
	err = r.Call(ctx, "ExportDataKey", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": sealing,
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
