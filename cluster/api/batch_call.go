package api

import (
	"context"
	"errors"
	"net/http"

	"meridian/cluster/api/batch"
	"meridian/crypto"
	"meridian/store"
)

// batchCall is a batch action on one view of the state. Rows are judged one by one: what is wrong with one is its outcome
// and stops no other. What is wrong with the node or the caller is the answer to the whole call.
type batchCall struct {
	*cryptoCall
	view    *store.View
	ciphers map[versionName]readyRow
	tags    *crypto.DataKeyTags
	room    []byte // for one data key, wiped after use
}

// versionName names a key version, and readyRow is what was found of it for all rows that need it. What the header of a
// blob says of the algorithm is part of the name: nobody vouches for it, and one row must not decide for the others.
type versionName struct {
	key       crypto.KeyID
	version   crypto.VersionID
	algorithm crypto.Algorithm
}

type readyRow struct {
	key    *store.Key
	cipher crypto.Cipher
	err    *Error
}

// onRows does a batch action in a slot of the asymmetric work, for a batch takes as long as that, on one view of the state.
func (c *Call) onRows(ctx context.Context, work func(*batchCall) error) error {
	release, err := c.server.asymmetric.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	w := newCryptoCall()
	defer w.release()
	b := &batchCall{cryptoCall: w, room: c.Scratch(MaxPlaintext)}
	defer func() { clear(b.room[:cap(b.room)]) }()
	return w.onOneView(ctx, c, func(_ *cryptoCall, v *store.View) error {
		// A second view may show keys in other states.
		b.view, b.ciphers = v, map[versionName]readyRow{}
		defer func() { b.tags.Wipe() }() // those of this try
		return work(b)
	})
}

// rowError tells what is wrong with a row apart from what is wrong with the node, which is returned as it is.
func (b *batchCall) rowError(err error) (*Error, error) {
	e := apiError(b.Call, err)
	if e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests {
		return nil, err
	}
	return e, nil
}

// opening returns the cipher that opens a blob, with the refusal of its row if there is none.
func (b *batchCall) opening(blob *crypto.Blob) (crypto.Cipher, *Error, error) {
	if err := b.ownBlob(blob); err != nil {
		refused, err := b.rowError(err)
		return nil, refused, err
	}
	name := versionName{blob.KeyID, blob.VersionID, blob.Algorithm}
	found, ok := b.ciphers[name]
	if !ok {
		var err error
		b.blob = *blob
		found.key, found.cipher, err = b.openingKey(b.view, b.Action.RAM[0])
		if err != nil {
			if found.err, err = b.rowError(err); err != nil {
				return nil, nil, err
			}
		}
		b.ciphers[name] = found
	}
	return found.cipher, found.err, nil
}

// sealing returns the cipher of the primary version of a key, with the refusal of its row if there is none.
func (b *batchCall) sealing(id crypto.KeyID) (readyRow, error) {
	name := versionName{key: id} // under which no blob's version is
	if found, ok := b.ciphers[name]; ok {
		return found, nil
	}
	found, err := b.findSealing(id)
	if err != nil {
		if found.err, err = b.rowError(err); err != nil {
			return found, err
		}
	}
	b.ciphers[name] = found
	return found, nil
}

func (b *batchCall) findSealing(id crypto.KeyID) (found readyRow, err error) {
	if found.key, err = b.keyByID(b.view, id, b.Action.RAM[0].Action); err != nil {
		return found, err
	}
	if err := b.checkState(found.key); err != nil {
		return found, err
	}
	if err := b.symmetric(found.key); err != nil {
		return found, err
	}
	found.cipher, err = b.server.cfg.Region.Cipher(b.view, found.key, found.key.PrimaryVersion)
	return found, err
}

// sealedRow reads a row with a blob and its context.
func sealedRow(r *batch.Reader) (blob crypto.Blob, sealing crypto.Context, refused *Error) {
	raw, canonical := r.Bytes(), r.Bytes()
	blob, err := crypto.ParseBlob(raw)
	if err != nil {
		return blob, sealing, errBlob()
	}
	sealing, err = crypto.ParseCanonicalContext(canonical)
	return blob, sealing, contextRefusal(err)
}

// contextRefusal is what is wrong with the context of a row.
func contextRefusal(err error) *Error {
	var fault *crypto.ContextError
	if errors.As(err, &fault) {
		return errInvalid("EncryptionContext", fault.Reason)
	}
	return nil
}

// openRow opens a blob of a row into the room for one data key. A dry run stops short of that.
func (b *batchCall) openRow(blob *crypto.Blob, sealing crypto.Context) ([]byte, *Error, error) {
	x, refused, err := b.opening(blob)
	if refused != nil || err != nil || b.dryRun() {
		return nil, refused, err
	}
	plaintext, err := blob.Open(b.room[:0], x, sealing)
	if err != nil {
		return nil, errBlob(), nil
	}
	return plaintext, nil, nil
}

// refuse writes the outcome of a row that was refused; of a dry run it is the answer to the whole call.
func (b *batchCall) refuse(why *Error) error {
	if b.dryRun() {
		return why
	}
	b.Answer.buf = batch.AppendRefusal(b.Answer.buf, why.Code, why.Message)
	return nil
}

// finish ends a batch: a dry run that came so far would have succeeded.
func (b *batchCall) finish(r *batch.Reader) error {
	switch {
	case r.Err() != nil:
		return errMalformedRows()
	case b.dryRun():
		return errDryRun()
	}
	return nil
}

// countRow counts the rows of a body.
func countRow(rows *int) error {
	if *rows++; *rows > batch.MaxRows {
		return errParse("the body has more than " + decimal(batch.MaxRows) + " rows")
	}
	return nil
}

// errMalformedRows says that a body is not of the form that the action takes.
func errMalformedRows() *Error { return errParse("the body is cut short or malformed") }

// transportKey finds the transport key of this region that a request names.
func (b *batchCall) transportKey() (*crypto.TransportKey, error) {
	k, err := b.server.cfg.Region.TransportKey(b.view, b.transportVersion())
	if errors.Is(err, store.ErrNoTransportKey) {
		return nil, errInvalid(paramTransportVersion, "this region has no such transport key any more, or never had: ask for the newest")
	}
	return k, err
}

func (c *Call) transportVersion() uint32 { return uint32(c.integer(paramTransportVersion)) }

// openMessage opens what another region sealed for this one.
func (b *batchCall) openMessage(r *batch.Reader, purpose crypto.JourneyPurpose) (crypto.Secret, error) {
	message := r.Message()
	if r.Err() != nil {
		return nil, errMalformedRows()
	}
	k, err := b.transportKey()
	if err != nil {
		return nil, err
	}
	journey := crypto.Journey{From: b.Params.value(paramFrom), To: b.server.cfg.RegionID, Version: b.transportVersion(), Purpose: purpose}
	plaintext, err := k.Open(journey, message)
	if err != nil {
		return nil, errParse("the message does not open under the transport key: it is damaged, of another region, or for another one or another version")
	}
	return plaintext, nil
}
