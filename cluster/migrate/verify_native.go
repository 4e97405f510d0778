package migrate

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	wire "meridian/cluster/api/batch"
	"meridian/crypto"
)

// Verify has both regions tag the data keys under a key that only they have. No data key leaves either of them.
func (n *Native) Verify(ctx context.Context, pairs Pairs, choose func() bool, workers int) (*Verification, error) {
	v := &nativeVerifier{way: n}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(workers, 1))
	var next pairChunk
	start := func() {
		chunk := next
		next = pairChunk{}
		group.Go(func() error { return v.compareChunk(ctx, chunk) })
	}
	readErr := v.read(ctx, pairs, choose, func(before, after *Row) error {
		if !isBlob(before) || !isBlob(after) {
			v.compared(before, fault(FaultNoBlob, "before or after the move it is no ciphertext blob of Meridian"))
			return nil
		}
		if !next.fits(before, after) {
			start()
		}
		next.add(before, after)
		return ctx.Err()
	})
	if readErr == nil && len(next.before) > 0 {
		start()
	}
	if err := errors.Join(group.Wait(), readErr); err != nil {
		return nil, err
	}
	return &v.result, nil
}

// isBlob reports whether a row holds what can be a blob; what is longer has no place in a request.
func isBlob(row *Row) bool {
	_, err := crypto.ParseBlob(row.Blob)
	return err == nil
}

type nativeVerifier struct {
	verification
	way *Native
}

// pairChunk is the pairs of one call to each region.
type pairChunk struct {
	before, after []*Row
	bytes         int // of the longer request
}

func (c *pairChunk) fits(before, after *Row) bool {
	return len(c.before) == 0 || len(c.before) < wire.MaxRows && c.bytes+max(rowBytes(before), rowBytes(after)) <= chunkRoom
}

func (c *pairChunk) add(before, after *Row) {
	c.before, c.after = append(c.before, before), append(c.after, after)
	c.bytes += max(rowBytes(before), rowBytes(after))
}

// compareChunk has both regions tag their data keys, and compares the tags.
func (v *nativeVerifier) compareChunk(ctx context.Context, c pairChunk) error {
	var found []*RowError
	err := v.way.underTransport(ctx, func(t NativeTransport) (err error) {
		found, err = v.way.compareTags(ctx, t, c)
		return err
	})
	if err != nil {
		return err
	}
	for i, why := range found {
		v.compared(c.before[i], why)
	}
	return nil
}

// compareTags returns what is wrong with each pair of a chunk, nil where its tags are the same.
func (n *Native) compareTags(ctx context.Context, transport NativeTransport, c pairChunk) ([]*RowError, error) {
	outcomes := make([]Outcome, len(c.before))
	results := make([]*Outcome, len(c.before))
	for i := range outcomes {
		results[i] = &outcomes[i]
	}
	message, tags, err := n.export(ctx, transport, c.before, results, carriesTags)
	if err != nil {
		return nil, err
	}
	found := make([]*RowError, len(c.before))
	var asked []int
	var rows []*Row
	for i, tag := range tags {
		if tag == nil {
			found[i] = outcomes[i].Fault
			continue
		}
		asked, rows = append(asked, i), append(rows, c.after[i])
	}
	if len(asked) == 0 {
		return found, nil
	}
	answer, err := n.tagRows(ctx, transport, message, rows)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(answer)
	for _, i := range asked {
		tag, why := r.Outcome()
		switch {
		case why != nil:
			found[i] = &RowError{Code: why.Code, Reason: why.Message}
		case string(tag) != string(tags[i]):
			found[i] = errDiffers()
		}
	}
	return found, wholeAnswer(r, n.to, "TagDataKeys")
}
