package migrate

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

// exportScheme is how data keys travel between two regions of any kind.
const exportScheme = "RSAES_OAEP_SHA_256"

// Transport is the key pair of the destination under whose public half data keys leave the source.
type Transport struct {
	Key, Version string // ids
	public       string // SubjectPublicKeyInfo in DER, Base64
}

// ErrNoTransportKey says that no data key can travel under a key.
var ErrNoTransportKey = errors.New("a transport key is RSA_2048 for ENCRYPT/DECRYPT")

// FindTransport finds the transport key that a name means in the destination: an RSA_2048 key for ENCRYPT/DECRYPT. It uses
// the newest version.
func FindTransport(ctx context.Context, to *Region, name string) (Transport, error) {
	k, err := to.Key(ctx, name)
	if err != nil {
		return Transport{}, err
	}
	if k.Spec != "RSA_2048" || k.Usage != "ENCRYPT/DECRYPT" {
		return Transport{}, fmt.Errorf("key %s of %s is %s for %s; %w", k.ID, to.ID, k.Spec, k.Usage, ErrNoTransportKey)
	}
	var listed struct {
		KeyVersions struct {
			KeyVersion []struct{ KeyVersionId string }
		}
	}
	if err := to.Call(ctx, "ListKeyVersions", map[string]string{"KeyId": k.ID, "PageSize": "1"}, &listed); err != nil {
		return Transport{}, err
	}
	if len(listed.KeyVersions.KeyVersion) == 0 {
		return Transport{}, fmt.Errorf("key %s of %s has no version", k.ID, to.ID)
	}
	t := Transport{Key: k.ID, Version: listed.KeyVersions.KeyVersion[0].KeyVersionId}
	var found struct{ PublicKey string }
	if err := to.Call(ctx, "GetPublicKey", map[string]string{"KeyId": t.Key, "KeyVersionId": t.Version}, &found); err != nil {
		return Transport{}, err
	}
	block, _ := pem.Decode([]byte(found.PublicKey))
	if block == nil {
		return Transport{}, fmt.Errorf("the public key of %s in %s is not PEM", k.ID, to.ID)
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return Transport{}, fmt.Errorf("the public key of %s in %s: %w", k.ID, to.ID, err)
	}
	t.public = base64.StdEncoding.EncodeToString(block.Bytes)
	return t, nil
}

// WayStandard is the name of the way of [Standard] in a journal.
const WayStandard = "standard"

// Standard moves rows with nothing but the public API: the source exports each data key under the transport key of the
// destination, which takes it from there. Whoever moves it sees RSA ciphertext alone. Two calls a row; a data key has at
// most 190 bytes.
type Standard struct {
	from, to  *Region
	transport Transport
	routes    *routes
}

// NewStandard makes the way between two regions.
func NewStandard(from, to *Region, transport Transport, mapping Mapping) *Standard {
	return &Standard{from: from, to: to, transport: transport, routes: newRoutes(from, to, mapping)}
}

// Transport is the key pair under which data keys travel.
func (s *Standard) Transport() Transport { return s.transport }

// Batch is one: rows are moved one by one, many at once.
func (s *Standard) Batch() int { return 1 }

// Move moves rows.
func (s *Standard) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	return moveEach(ctx, rows, s.routes, s)
}

// open has the source export the data key of a row.
func (s *Standard) open(ctx context.Context, row *Row) (opened, *RowError, error) {
	opening, err := contextParam(row.Context)
	if err != nil {
		return opened{}, nil, err
	}
	var exported struct{ ExportedDataKey, KeyId, KeyVersionId string }
	err = s.from.Call(ctx, "ExportDataKey", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": opening,
		"PublicKeyBlob": s.transport.public, "WrappingAlgorithm": exportScheme, "WrappingKeySpec": "RSA_2048",
	}, &exported)
	if refused, err := refusal(err); refused != nil || err != nil {
		return opened{}, cmp.Or(s.tooLarge(row), refused), err
	}
	return opened{exported: exported.ExportedDataKey, key: exported.KeyId, version: exported.KeyVersionId}, nil, nil
}

// seal has the destination take what was exported.
func (s *Standard) seal(ctx context.Context, row *Row, target Key, o opened) (sealed, *RowError, error) {
	sealing, err := contextParam(row.sealing())
	if err != nil {
		return sealed{}, nil, err
	}
	var taken struct{ CiphertextBlob, KeyId, KeyVersionId string }
	err = s.to.Call(ctx, "ReEncrypt", map[string]string{
		"CiphertextBlob": o.exported, "SourceKeyId": s.transport.Key, "SourceKeyVersionId": s.transport.Version,
		"SourceEncryptionAlgorithm": exportScheme, "DestinationKeyId": target.ID, "DestinationEncryptionContext": sealing,
	}, &taken)
	if refused, err := refusal(err); refused != nil || err != nil {
		return sealed{}, refused, err
	}
	blob, err := base64.StdEncoding.DecodeString(taken.CiphertextBlob)
	if err != nil || len(blob) == 0 {
		return sealed{}, nil, errors.New("ReEncrypt answered with no ciphertext")
	}
	return sealed{blob: blob, key: taken.KeyId, version: taken.KeyVersionId}, nil, nil
}

// maxExported is the longest data key that RSA_2048 with OAEP and SHA-256 carries, in bytes.
const maxExported = 190
