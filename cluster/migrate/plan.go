package migrate

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// Plan is what a run would do. Making one changes nothing in either region, and opens nothing: rights are tried by dry
// runs, with the first row of each group.
type Plan struct {
	Rows    int64   `json:"rows"`
	Kept    int64   `json:"kept"` // they are where they are to go
	Skipped int64   `json:"skipped"`
	Groups  []Group `json:"groups"` // at most maxGroups
	// Others is how many rows are of further groups. They are counted together, and no rights are tried for them.
	Others   int64     `json:"others,omitempty"`
	Failures []Failure `json:"failures"` // rows that would fail, as far as that shows without opening them; at most MaxPlanned
	// Cut is how many more such rows there are.
	Cut      int64    `json:"failures_cut,omitempty"`
	Failing  int64    `json:"failing"`  // how many rows would fail, those of groups with a problem included
	Estimate Estimate `json:"estimate"` // of moving the rest

	trip      time.Duration       // the longest that a try took both regions
	strangers int                 // rows of unknown keys that would fail
	each      func(Failure) error // is given the rows that would fail, in the place of Failures; nil: nobody
}

// MaxPlanned bounds the rows that a plan lists.
const MaxPlanned = 10_000

// Group is the rows that were sealed under one version of a key and go to one key. Of blobs of another service the version
// is empty, and the keys are if only opening tells them.
type Group struct {
	Source  string   `json:"source"` // key id
	Names   []string `json:"names"`  // its aliases
	Version string   `json:"version"`
	State   string   `json:"state"`  // of the source key
	Target  string   `json:"target"` // key id in the destination
	To      string   `json:"to"`     // as the row or the mapping names it
	Rows    int64    `json:"rows"`
	Problem string   `json:"problem,omitempty"` // why none of them would be moved; empty: they would be

	refused *RowError // Problem
}

// planner is a way as far as a plan needs it. Each try tells what a dry run of one side's part says.
type planner interface {
	sides() (from *Region, routes *routes)
	tooLarge(row *Row) *RowError
	tryFrom(ctx context.Context, row *Row, way route) error
	tryTo(ctx context.Context, row *Row, way route) error
	estimate(rows int64, trip time.Duration) Estimate
}

// Plan sorts every row by where it is from and where it would go, and has both regions try what each group needs. each, if
// not nil, is called with every row that would fail, as it is found, and the plan lists none then. An error of each ends it.
func (s *Standard) Plan(ctx context.Context, rows Format, each func(Failure) error) (*Plan, error) {
	return planRows(ctx, s, rows, each)
}

// sides returns what a plan asks.
func (s *Standard) sides() (*Region, *routes) { return s.from, s.routes }

// planRows makes the plan of a way.
func planRows(ctx context.Context, s planner, rows Format, each func(Failure) error) (*Plan, error) {
	p := &Plan{each: each}
	groups := map[string]*Group{}
	for {
		row, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		p.Rows++
		if err := p.add(ctx, s, groups, row); err != nil {
			return nil, err
		}
	}
	for _, g := range slices.SortedFunc(maps.Values(groups), func(a, b *Group) int {
		return cmp.Or(cmp.Compare(strings.Join(a.Names, " "), strings.Join(b.Names, " ")), cmp.Compare(a.Source, b.Source), cmp.Compare(b.Rows, a.Rows))
	}) {
		if g.Problem != "" {
			p.Failing += g.Rows
		}
		p.Groups = append(p.Groups, *g)
	}
	p.Estimate = s.estimate(p.Rows-p.Kept-p.Skipped-p.Failing, p.trip) // a run tries others as well
	return p, nil
}

// add puts a row where it belongs.
func (p *Plan) add(ctx context.Context, s planner, groups map[string]*Group, row *Row) error {
	if row.Fault != nil {
		return p.fails(row, row.Fault)
	}
	if row.Skip {
		p.Skipped++
		return nil
	}
	_, routes := s.sides()
	way, refused, err := routes.of(ctx, row)
	switch {
	case err != nil:
		return err
	case refused == nil && way.kept:
		p.Kept++
		return nil
	case refused == nil:
		refused = s.tooLarge(row)
	}
	if refused != nil {
		return p.fails(row, refused)
	}
	name := way.source + " " + way.target.ID
	g := groups[name]
	switch {
	case g == nil && len(groups) == maxGroups:
		p.Others++
		return nil
	case g == nil:
		if g, err = p.newGroup(ctx, s, row, way); err != nil {
			return err
		}
		// What is said of a row whose key is unknown need not be so of the next one.
		if p.strangers < maxStrangers && way.source == "" && g.Problem != "" {
			p.strangers++
			return p.fails(row, g.refused)
		}
		groups[name] = g
	}
	g.Rows++
	return nil
}

// maxStrangers bounds the rows of unknown keys that the source is asked about one by one.
const maxStrangers = 100

// fails counts a row that would not be moved, and names it.
func (p *Plan) fails(row *Row, why *RowError) error {
	p.Failing++
	switch {
	case p.each != nil:
		return p.each(failureOf(row, why))
	case len(p.Failures) < MaxPlanned:
		p.Failures = append(p.Failures, failureOf(row, why))
	default:
		p.Cut++
	}
	return nil
}

// newGroup describes the keys of a group and tries, with its first row, whether both regions would do their part.
func (p *Plan) newGroup(ctx context.Context, s planner, row *Row, way route) (*Group, error) {
	_, source, _ := strings.Cut(way.source, "/")
	key, version, _ := strings.Cut(source, "/")
	g := &Group{Source: key, Version: version, Target: way.target.ID, To: way.name}
	from, _ := s.sides()
	if key != "" {
		k, err := from.Key(ctx, key)
		refused, err := refusal(err)
		switch {
		case err != nil:
			return nil, err
		case refused != nil:
			g.Problem, g.refused = refused.Error(), refused
			return g, nil
		}
		g.State, g.Names = k.State, k.Names[1:]
	}
	began := time.Now()
	tries := []func(context.Context, *Row, route) error{s.tryFrom, s.tryTo}
	if way.target.ID == "" {
		tries = tries[:1]
	}
	for _, try := range tries {
		refused, err := refusal(try(ctx, row, way))
		if err != nil {
			return nil, err
		}
		if refused != nil {
			g.Problem, g.refused = refused.Error(), refused
			return g, nil
		}
	}
	p.trip = max(p.trip, time.Since(began))
	return g, nil
}

// tryFrom is a dry run of the source's part.
func (s *Standard) tryFrom(ctx context.Context, row *Row, _ route) error {
	sealing, err := contextParam(row.Context)
	if err != nil {
		return err
	}
	return dryRun(s.from.Call(ctx, "ExportDataKey", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(row.Blob), "EncryptionContext": sealing,
		"PublicKeyBlob": s.transport.public, "WrappingAlgorithm": exportScheme, "WrappingKeySpec": "RSA_2048", "DryRun": "true",
	}, nil))
}

// tryTo is a dry run of the destination's part, with a data key of its own.
func (s *Standard) tryTo(ctx context.Context, row *Row, way route) error {
	der, err := base64.StdEncoding.DecodeString(s.transport.public)
	if err != nil {
		return err
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	pair, ok := public.(*rsa.PublicKey)
	if !ok {
		return errors.New("the transport key is no RSA key")
	}
	sample := make([]byte, 32)
	rand.Read(sample)
	exported, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, pair, sample, nil)
	if err != nil {
		return err
	}
	sealing, err := contextParam(row.sealing())
	if err != nil {
		return err
	}
	return dryRun(s.to.Call(ctx, "ReEncrypt", map[string]string{
		"CiphertextBlob": base64.StdEncoding.EncodeToString(exported), "SourceKeyId": s.transport.Key, "SourceKeyVersionId": s.transport.Version,
		"SourceEncryptionAlgorithm": exportScheme, "DestinationKeyId": way.target.ID, "DestinationEncryptionContext": sealing, "DryRun": "true",
	}, nil))
}

// dryRun turns the answer of a dry run that would have succeeded into none.
func dryRun(err error) error {
	var answer *client.Error
	if errors.As(err, &answer) && answer.Code == "DryRunOperationError" {
		return nil
	}
	if err == nil {
		return errors.New("a dry run was answered with success: the region does not know dry runs")
	}
	return err
}

// tooLarge refuses a data key that the way cannot carry.
func (s *Standard) tooLarge(row *Row) *RowError {
	blob, err := crypto.ParseBlob(row.Blob)
	if err != nil || blob.PlaintextBytes() <= maxExported {
		return nil
	}
	return fault(FaultTooLarge, "its content has %d bytes, and the standard way carries %d", blob.PlaintextBytes(), maxExported)
}
