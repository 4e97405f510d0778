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
	return moveEach(ctx, rows, s.routes, s.moveRow)
}

// moveBlob has the blob of a row sealed anew where its route says.
type moveBlob func(ctx context.Context, row *Row, way route) (blob []byte, refused *RowError, err error)

// moveEach moves rows one by one.
func moveEach(ctx context.Context, rows []*Row, routes *routes, move moveBlob) ([]Outcome, error) {
	outcomes := make([]Outcome, len(rows))
	for i, row := range rows {
		o, refused, err := moveOne(ctx, row, routes, move)
		if err != nil {
			return nil, err
		}
		if refused != nil {
			o.Status, o.Fault = Failed, refused
		}
		outcomes[i] = o
	}
	return outcomes, nil
}

func moveOne(ctx context.Context, row *Row, routes *routes, move moveBlob) (o Outcome, refused *RowError, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	way, refused, err := routes.of(ctx, row)
	o.From = way.source
	switch {
	case refused != nil || err != nil:
		return o, refused, err
	case way.kept:
		o.Status = Kept
		return o, nil, nil
	}
	blob, refused, err := move(ctx, row, way)
	if err == nil && refused == nil {
		refused = routes.checkSealed(blob, way)
	}
	if err == nil && refused == nil {
		o.Status, o.Blob = Moved, blob
	}
	return o, refused, err
}

func (s *Standard) moveRow(ctx context.Context, row *Row, way route) ([]byte, *RowError, error) {
	opening, err := contextParam(row.Context)
	if err != nil {
		return nil, nil, err
	}
	sealing, err := contextParam(row.sealing())
	if err != nil {
		return nil, nil, err
	}
	var exported struct{ ExportedDataKey string }
	err = s.from.Call(ctx, "ExportDataKey", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": opening,
		"PublicKeyBlob": s.transport.public, "WrappingAlgorithm": exportScheme, "WrappingKeySpec": "RSA_2048",
	}, &exported)
	if refused, err := refusal(err); refused != nil || err != nil {
		return nil, cmp.Or(s.tooLarge(row), refused), err
	}
	var sealed struct{ CiphertextBlob string }
	err = s.to.Call(ctx, "ReEncrypt", map[string]string{
		"CiphertextBlob": exported.ExportedDataKey, "SourceKeyId": s.transport.Key, "SourceKeyVersionId": s.transport.Version,
		"SourceEncryptionAlgorithm": exportScheme, "DestinationKeyId": way.target.ID, "DestinationEncryptionContext": sealing,
	}, &sealed)
	if refused, err := refusal(err); refused != nil || err != nil {
		return nil, refused, err
	}
	blob, err := base64.StdEncoding.DecodeString(sealed.CiphertextBlob)
	if err != nil || len(blob) == 0 {
		return nil, nil, errors.New("ReEncrypt answered with no ciphertext")
	}
	return blob, nil, nil
}

// maxExported is the longest data key that RSA_2048 with OAEP and SHA-256 carries, in bytes.
const maxExported = 190
