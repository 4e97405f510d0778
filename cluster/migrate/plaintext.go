package migrate

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"meridian/cluster/api/client"
)

// WayPlaintext is the name of the way of [Plaintext] in a journal.
const WayPlaintext = "plaintext"

// Plaintext moves rows by having them decrypted in the source and encrypted in the destination: each data key is in clear
// in the memory of this process for a moment. It needs no transport key and no export, and carries what the destination
// takes. Buffers of this package that held a data key are wiped; copies that the runtime, HTTP and TLS made are not.
type Plaintext struct {
	from, to *Region
	routes   *routes
}

// NewPlaintext makes the way between two regions.
func NewPlaintext(from, to *Region, mapping Mapping) *Plaintext {
	return &Plaintext{from: from, to: to, routes: newRoutes(from, to, mapping)}
}

// Batch is one: rows are moved one by one, many at once.
func (p *Plaintext) Batch() int { return 1 }

// Move moves rows.
func (p *Plaintext) Move(ctx context.Context, rows []*Row) ([]Outcome, error) {
	return moveEach(ctx, rows, p.routes, p)
}

// open has the source decrypt a row's blob.
func (p *Plaintext) open(ctx context.Context, row *Row) (opened, *RowError, error) {
	opening, err := contextParam(row.Context)
	if err != nil {
		return opened{}, nil, err
	}
	var decrypted struct {
		Plaintext           []byte
		KeyId, KeyVersionId string
	}
	err = p.from.Call(ctx, "Decrypt", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": opening,
	}, &decrypted)
	refused, err := refusal(err)
	if err == nil && refused == nil && len(decrypted.Plaintext) == 0 {
		err = fmt.Errorf("%s: Decrypt answered with no plaintext", p.from.ID)
	}
	return opened{dataKey: decrypted.Plaintext, key: decrypted.KeyId, version: decrypted.KeyVersionId}, refused, err
}

// seal has the destination encrypt a data key. What went wrong is told without it.
func (p *Plaintext) seal(ctx context.Context, row *Row, target Key, o opened) (sealed, *RowError, error) {
	sealing, err := contextParam(row.sealing())
	if err != nil {
		return sealed{}, nil, err
	}
	text := base64.StdEncoding.EncodeToString(o.dataKey)
	var made struct {
		CiphertextBlob      []byte
		KeyId, KeyVersionId string
	}
	err = p.to.callSecret(ctx, "Encrypt", map[string]string{"KeyId": target.ID, "Plaintext": text, "EncryptionContext": sealing}, &made)
	if refused, err := refusal(err); refused != nil || err != nil {
		return sealed{}, refused, err
	}
	if len(made.CiphertextBlob) == 0 {
		return sealed{}, nil, fmt.Errorf("%s: Encrypt answered with no ciphertext", p.to.ID)
	}
	return sealed{blob: made.CiphertextBlob, key: made.KeyId, version: made.KeyVersionId}, nil, nil
}

// callSecret is Call for a request that holds a plaintext. Nothing that tells of an attempt has more of the answer than its
// status and code.
func (r *Region) callSecret(ctx context.Context, action string, params map[string]string, out any) error {
	return r.untilAnswered(ctx, func(c *client.Client) (client.Response, error) {
		resp, err := c.Call(ctx, action, params, out)
		clear(resp.Body)
		if err != nil {
			resp.RequestID = ""
		}
		return resp, withoutText(err, params["Plaintext"])
	})
}

// withoutText takes out of an error what an answer may repeat of a request that held a plaintext, in whatever form: all
// words of the region but a code of the form that codes have.
func withoutText(err error, text string) error {
	var answer *client.Error
	if !errors.As(err, &answer) {
		return err
	}
	clean := client.Error{Status: answer.Status, Code: answer.Code, Endpoint: answer.Endpoint,
		Message: "the region refuses it, in words that are not shown because they may hold the plaintext"}
	if !codeForm.MatchString(clean.Code) || strings.Contains(clean.Code, text) {
		clean.Code = "NotShown"
	}
	return fmt.Errorf("encrypting: %w", &clean)
}

// codeForm is what the API's codes look like.
var codeForm = regexp.MustCompile(`^[A-Z][A-Za-z]{2,40}(\.[A-Z][A-Za-z]{2,40}){0,3}$`)

// Plan sorts every row by where it is from and where it would go, and has both regions try what each group needs.
func (p *Plaintext) Plan(ctx context.Context, rows Format, each func(Failure) error) (*Plan, error) {
	return planRows(ctx, p, rows, each)
}

// sides returns what a plan asks.
func (p *Plaintext) sides() (*Region, *routes) { return p.from, p.routes }

// tooLarge is for the destination to say: what it takes at the most is a setting of the region.
func (p *Plaintext) tooLarge(*Row) *RowError { return nil }

// tryFrom is a dry run of the source's part.
func (p *Plaintext) tryFrom(ctx context.Context, row *Row, _ route) error {
	opening, err := contextParam(row.Context)
	if err != nil {
		return err
	}
	return dryRun(p.from.Call(ctx, "Decrypt", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": opening, "DryRun": "true",
	}, nil))
}

// tryTo is a dry run of the destination's part, with a data key of zeros.
func (p *Plaintext) tryTo(ctx context.Context, row *Row, way route) error {
	sealing, err := contextParam(row.sealing())
	if err != nil {
		return err
	}
	return dryRun(p.to.Call(ctx, "Encrypt", map[string]string{
		"KeyId": way.target.ID, "Plaintext": base64.StdEncoding.EncodeToString(make([]byte, 32)), "EncryptionContext": sealing, "DryRun": "true",
	}, nil))
}
