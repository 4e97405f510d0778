package api

import (
	"context"
	"encoding/binary"

	"meridian/cluster/api/batch"
	"meridian/crypto"
)

func handleExportDataKeys(ctx context.Context, c *Call) error {
	public, err := c.readTransportPublic()
	if err != nil {
		return err
	}
	journey := crypto.Journey{
		From: c.server.cfg.RegionID, To: c.Params.value(paramTo), Version: c.transportVersion(), Purpose: crypto.CarriesDataKeys,
	}
	if c.value(paramCarries) == carriesTags {
		journey.Purpose = crypto.CarriesTagKey
	}
	tagKey := crypto.NewTagKey()
	defer tagKey.Wipe()
	var inside []byte
	return c.onRows(ctx, func(b *batchCall) error {
		if err := b.allowExportTo(public.Fingerprint()); err != nil {
			return err
		}
		if inside == nil {
			// Everything that is inside the message, and no longer: growing would leave data keys behind.
			inside = b.Scratch(crypto.TagKeyBytes + len(b.Body))
		}
		b.tags = crypto.NewDataKeyTags(tagKey)
		plaintext, outcomes, err := b.exportRows(append(inside, tagKey...), journey.Purpose == crypto.CarriesDataKeys)
		if err != nil {
			return err
		}
		message, err := public.Seal(journey, plaintext)
		if err != nil {
			return err
		}
		b.Answer.buf = append(batch.AppendMessage(b.Answer.buf, message), outcomes...)
		return nil
	})
}

// exportRows opens the rows of the body. It returns what the message has inside, and the outcomes.
func (b *batchCall) exportRows(inside []byte, carry bool) (plaintext, outcomes []byte, err error) {
	r := batch.NewReader(b.Body)
	r.Bytes()  // the transport key
	place := 0 // of a data key among those of the message
	for rows := 0; r.More(); {
		if err := countRow(&rows); err != nil {
			return nil, nil, err
		}
		blob, sealing, refused := sealedRow(r)
		if r.Err() != nil {
			break
		}
		var dataKey []byte
		if refused == nil {
			if dataKey, refused, err = b.openRow(&blob, sealing); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case refused != nil && b.dryRun():
			return nil, nil, refused
		case refused != nil:
			outcomes = batch.AppendRefusal(outcomes, refused.Code, refused.Message)
		default:
			outcomes = b.tags.Append(batch.AppendDone(outcomes), place, dataKey)
			place++
			if carry {
				inside = append(binary.BigEndian.AppendUint16(inside, uint16(len(dataKey))), dataKey...)
			}
		}
	}
	return inside, outcomes, b.finish(r)
}

// readTransportPublic reads the public half that stands before the rows.
func (c *Call) readTransportPublic() (*crypto.TransportPublic, error) {
	r := batch.NewReader(c.Body)
	b := r.Bytes()
	if r.Err() != nil {
		return nil, errMalformedRows()
	}
	public, err := crypto.ParseTransportPublic(b)
	if err != nil {
		return nil, errParse("the body does not begin with the public half of a transport key")
	}
	return public, nil
}
