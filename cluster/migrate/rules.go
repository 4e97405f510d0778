package migrate

import (
	"context"
	"errors"

	"meridian/crypto"
)

// Rules say what is done with rows besides moving them. The zero value changes nothing.
type Rules struct {
	Region   string          // that rows come from
	Skip     map[string]bool // ids of its keys whose rows are left as they are
	Contexts ContextRules    // for rows that name no context of their own to go into
}

// Apply notes in a row what the rules make of it: Skip, Target, or a Fault if its new context is none.
func (r Rules) Apply(row *Row) {
	if row.Fault != nil {
		return
	}
	if len(r.Skip) > 0 {
		if r.Skip[keyIn(r.Region, row.Blob)] {
			row.Skip = true
			return
		}
	}
	if row.Target != nil || len(r.Contexts) == 0 {
		return
	}
	target, err := r.Contexts.Map(row.Context)
	if err != nil {
		var reason *crypto.ContextError
		if errors.As(err, &reason) {
			row.setFault(fault(FaultContext, "the one that it is to go into: %s", reason.Reason))
			return
		}
		row.setFault(fault(FaultContext, "the one that it is to go into cannot be made"))
		return
	}
	row.Target = &target
}

// keyIn is the key of a region that a blob is under, as it says itself; empty if it does not, or is another region's.
func keyIn(region string, blob []byte) string {
	b, err := crypto.ParseBlob(blob)
	if err != nil {
		key, _ := hintedKey(blob)
		return key
	}
	if b.Region != region {
		return ""
	}
	return b.KeyID.String()
}

// skipped is the outcome of a row that is left as it is.
func skipped(row *Row) Outcome { return Outcome{Status: Skipped, From: sourceOf(row)} }

// sourceOf is REGION/KEYID/VERSION of a row's blob; empty if it has none.
func sourceOf(row *Row) string {
	blob, err := crypto.ParseBlob(row.Blob)
	if err != nil {
		return ""
	}
	return sourceName(blob.Header)
}

// sourceName is REGION/KEYID/VERSION.
func sourceName(h crypto.Header) string {
	return h.Region + "/" + h.KeyID.String() + "/" + h.VersionID.String()
}

// Ruled is a format whose rows went through rules.
type Ruled struct {
	Format
	Rules Rules
}

// Next returns the next row as the rules leave it.
func (r Ruled) Next() (*Row, error) {
	row, err := r.Format.Next()
	if err == nil {
		r.Rules.Apply(row)
	}
	return row, err
}

// KeyIDs finds the ids of keys. An id stands for itself, so that a key may be named that is gone.
func (r *Region) KeyIDs(ctx context.Context, names []string) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, name := range names {
		if id, ok := crypto.ParseKeyID(name); ok {
			ids[id.String()] = true
			continue
		}
		k, err := r.Key(ctx, name)
		if err != nil {
			return nil, err
		}
		ids[k.ID] = true
	}
	return ids, nil
}
