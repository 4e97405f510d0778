package api

import (
	"context"

	"meridian/cluster/api/batch"
	"meridian/crypto"
)

func handleTagDataKeys(ctx context.Context, c *Call) error {
	return c.onRows(ctx, func(b *batchCall) error {
		r := batch.NewReader(b.Body)
		inside, err := b.openMessage(r, crypto.CarriesTagKey)
		if err != nil {
			return err
		}
		defer inside.Wipe()
		if len(inside) != crypto.TagKeyBytes {
			return errParse("the message does not hold the key of tags alone")
		}
		b.tags = crypto.NewDataKeyTags(inside)
		return b.tagRows(r)
	})
}

// tagRows tags what each blob of the body holds.
func (b *batchCall) tagRows(r *batch.Reader) error {
	for place := 0; r.More(); {
		at := place
		if err := countRow(&place); err != nil {
			return err
		}
		blob, sealing, refused := sealedRow(r)
		if r.Err() != nil {
			break
		}
		var dataKey []byte
		var err error
		if refused == nil {
			dataKey, refused, err = b.openRow(&blob, sealing)
		}
		switch {
		case err != nil:
			return err
		case refused == nil && b.dryRun():
		case refused == nil:
			b.Answer.buf = b.tags.Append(batch.AppendDone(b.Answer.buf), at, dataKey)
		default:
			err = b.refuse(refused)
		}
		if err != nil {
			return err
		}
	}
	return b.finish(r)
}
