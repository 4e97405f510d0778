package api

import (
	"context"
	"encoding/binary"

	"meridian/cluster/api/batch"
	"meridian/crypto"
)

func handleImportDataKeys(ctx context.Context, c *Call) error {
	return c.onRows(ctx, func(b *batchCall) error {
		r := batch.NewReader(b.Body)
		inside, err := b.openMessage(r, crypto.CarriesDataKeys)
		if err != nil {
			return err
		}
		defer inside.Wipe()
		carried := batch.NewReader(inside)
		tagKey := carried.TagKey()
		if carried.Err() != nil {
			return errParse("the message does not begin with a key of tags")
		}
		b.tags = crypto.NewDataKeyTags(tagKey)
		return b.importRows(r, carried)
	})
}

// importRows seals each data key of a message as its row says.
func (b *batchCall) importRows(r, carried *batch.Reader) error {
	for place := 0; r.More(); {
		at := place
		if err := countRow(&place); err != nil {
			return err
		}
		id, canonical := r.KeyID(), r.Bytes()
		dataKey := carried.Bytes()
		switch {
		case r.Err() != nil:
			return errMalformedRows()
		case carried.Err() != nil:
			return errParse("the body has more rows than the message has data keys")
		}
		refused, err := b.importRow(at, id, canonical, dataKey)
		if err == nil && refused != nil {
			err = b.refuse(refused)
		}
		if err != nil {
			return err
		}
	}
	if carried.More() || carried.Err() != nil {
		return errParse("the message has more data keys than the body has rows")
	}
	return b.finish(r)
}

// importRow seals one data key, opens what it sealed and answers the tag of that.
func (b *batchCall) importRow(place int, id crypto.KeyID, canonical, dataKey []byte) (*Error, error) {
	sealing, err := crypto.ParseCanonicalContext(canonical)
	if refused := contextRefusal(err); refused != nil {
		return refused, nil
	}
	found, err := b.sealing(id)
	switch {
	case err != nil || found.err != nil:
		return found.err, err
	case len(dataKey) == 0 || len(dataKey) > MaxPlaintext:
		return errInvalid("data key", "it must hold 1 to "+decimal(MaxPlaintext)+" bytes"), nil
	case b.dryRun():
		return nil, nil
	}
	region := b.server.cfg.RegionID
	header := crypto.Header{Algorithm: found.cipher.Algorithm(), Region: region, KeyID: id, VersionID: found.key.PrimaryVersion}
	out := batch.AppendDone(b.Answer.buf)
	tagAt := len(out)
	out = append(out, make([]byte, crypto.DataKeyTagBytes)...)
	out = binary.BigEndian.AppendUint16(out, uint16(crypto.BlobBytes(region, len(dataKey))))
	blobAt := len(out)
	if out, err = crypto.SealBlob(out, found.cipher, header, sealing, dataKey); err != nil {
		return nil, err
	}
	again, err := b.reopen(out[blobAt:], found.cipher, sealing)
	if err != nil {
		return nil, err
	}
	b.tags.Append(out[:tagAt], place, again)
	b.Answer.buf = out
	return nil, nil
}

// reopen opens a blob that was just sealed: what the tag is made of is what the blob holds, not what it was made of.
func (b *batchCall) reopen(raw []byte, x crypto.Cipher, sealing crypto.Context) ([]byte, error) {
	blob, err := crypto.ParseBlob(raw)
	if err != nil {
		return nil, err
	}
	return blob.Open(b.room[:0], x, sealing)
}
