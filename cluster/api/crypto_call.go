package api

import (
	"context"
	"sync"

	"meridian/crypto"
	"meridian/store"
)

// cryptoCall is the part of a crypto request that is ready before the state is looked at, and what is to be done on one
// view of it. It is pooled together with the function that Region.ReadWith gets, so that a request allocates neither.
type cryptoCall struct {
	*Call
	work        func(*cryptoCall, *store.View) error
	context     crypto.Context // of the blob that is made, or opened
	source      crypto.Context // ReEncrypt: of the blob that is opened
	blob        crypto.Blob    // that is opened
	plaintext   []byte         // that is sealed; scratch of the request, which is wiped
	target      *target        // that a data key is exported to
	onView      func(*store.View) error
	withDataKey bool // the answer shows the plaintext
}

var cryptoCalls = sync.Pool{New: func() any {
	w := new(cryptoCall)
	w.onView = func(v *store.View) error {
		// The view may be of an older state than allowed by the time the work is done; then all of it is done again.
		w.Answer.Reset()
		w.Index = v.Index()
		return w.work(w, v)
	}
	return w
}}

// onOneView does the work of a crypto request on one view of the state, twice if need be.
func (w *cryptoCall) onOneView(ctx context.Context, c *Call, work func(*cryptoCall, *store.View) error) error {
	w.Call, w.work = c, work
	return c.server.cfg.Region.ReadWith(ctx, c.Wanted, w.onView)
}

func newCryptoCall() *cryptoCall { return cryptoCalls.Get().(*cryptoCall) }

// release gives the call back; what it pointed to belongs to the request.
func (w *cryptoCall) release() {
	onView := w.onView
	*w = cryptoCall{onView: onView}
	cryptoCalls.Put(w)
}

// symmetric refuses a key that the symmetric actions cannot use.
func (w *cryptoCall) symmetric(k *store.Key) error {
	switch {
	case !isSymmetric(k):
		return w.errUnsupported("key " + k.ID.String() + " is of spec " + k.Spec)
	case k.Spec == specSM4 && crypto.AlgorithmXSM4GCM.Available() != nil:
		return w.errUnsupported("keys of spec " + k.Spec + " are not served in FIPS-only mode")
	}
	return nil
}

// usableKey finds the key that a parameter names, allowed and in a state for cryptography.
func (w *cryptoCall) usableKey(v *store.View, param string, need Permission) (*store.Key, error) {
	k, err := w.findKey(v, param, need)
	if err != nil {
		return nil, err
	}
	if err := w.checkState(k); err != nil {
		return nil, err
	}
	return k, w.symmetric(k)
}

// sealFor seals w.plaintext under the primary version of a key, with the algorithm of its record, and writes the answer.
// On a dry run it stops short of that.
func (w *cryptoCall) sealFor(v *store.View, k *store.Key) error {
	version, err := v.Version(k.ID, k.PrimaryVersion)
	if err != nil {
		return err
	}
	x, err := w.server.cfg.Region.Cipher(v, k, k.PrimaryVersion)
	if err != nil {
		return err
	}
	if w.dryRun() {
		return errDryRun()
	}
	region := w.server.cfg.RegionID
	header := crypto.Header{Algorithm: version.Algorithm, Region: region, KeyID: k.ID, VersionID: k.PrimaryVersion}
	blob, err := crypto.SealBlob(w.Scratch(crypto.BlobBytes(region, len(w.plaintext))), x, header, w.context, w.plaintext)
	if err != nil {
		return err
	}
	w.answerKeyVersion(k.ID, k.PrimaryVersion)
	w.Answer.Base64("CiphertextBlob", blob)
	return nil
}

// answerKeyVersion says which key and version did the work.
func (c *Call) answerKeyVersion(id crypto.KeyID, version crypto.VersionID) {
	text := id.AppendTo(c.Scratch(keyIDChars))
	c.Answer.Text("KeyId", stringOf(text))
	text = version.AppendTo(text[:0])
	c.Answer.Text("KeyVersionId", stringOf(text))
}
