package api

import (
	"bytes"
	"testing"

	"meridian/cluster/api/batch"
	"meridian/crypto"
)

// faulty is a cipher of a node whose memory fails: while it seals, the data key is another. It does so by hooks, for
// nothing outside of package crypto can seal in its own way: Algorithm is asked for the header, when sealing begins, and
// when opening does.
type faulty struct {
	crypto.Cipher
	asked   int
	dataKey []byte
}

func (f *faulty) Algorithm() crypto.Algorithm {
	if f.asked++; f.asked == 2 || f.asked == 3 {
		f.dataKey[0] ^= 1
	}
	return f.Cipher.Algorithm()
}

// The tag that an import answers is of what the new blob opens to, whatever it was made of: where that went wrong the
// source's tag is another, and the mover does not take the blob.
func TestImportTagsWhatItSealed(t *testing.T) {
	dataKey, sealed := []byte("a data key of 32 bytes, as it is"), []byte("a data key of 32 bytes, as it is")
	sealed[0] ^= 1
	x, err := crypto.NewXAES(crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	if err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, Limits{})
	id, _ := crypto.ParseKeyID(h.newKey(t))
	key, tagKey := h.key(t, id.String()), crypto.NewTagKey()
	w := newCryptoCall()
	defer w.release()
	w.Call = &Call{Action: new(Action), Answer: new(Answer), server: h.server}
	b := &batchCall{
		cryptoCall: w, room: make([]byte, 0, MaxPlaintext), tags: crypto.NewDataKeyTags(tagKey),
		ciphers: map[versionName]readyRow{{key: id}: {key: key, cipher: &faulty{Cipher: x, dataKey: dataKey}}},
	}
	const place = 3
	var none crypto.Context
	if refused, err := b.importRow(place, id, none.Canonical(), dataKey); refused != nil || err != nil {
		t.Fatal(refused, err)
	}
	r := batch.NewReader(b.Answer.buf)
	tag, why := r.Outcome()
	raw := r.Bytes()
	blob, err := crypto.ParseBlob(raw)
	if why != nil || r.Err() != nil || r.More() || err != nil {
		t.Fatal(why, r.Err(), err)
	}
	if got, err := blob.Open(nil, x, none); err != nil || !bytes.Equal(got, sealed) || bytes.Equal(got, dataKey) {
		t.Fatalf("sealed is %q, %v, of %q: the test does not do what it should", got, err, dataKey)
	}
	tags := crypto.NewDataKeyTags(tagKey)
	if !bytes.Equal(tag, tags.Append(nil, place, sealed)) || bytes.Equal(tag, tags.Append(nil, place, dataKey)) {
		t.Error("the tag is not of what the blob holds")
	}
}
