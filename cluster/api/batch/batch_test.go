package batch

import (
	"bytes"
	"testing"

	"meridian/crypto"
)

func TestForms(t *testing.T) {
	id := crypto.KeyID{1, 2, 3}
	tag := bytes.Repeat([]byte{7}, crypto.DataKeyTagBytes)
	var b []byte
	b = AppendMessage(b, []byte("message"))
	b = append(b, id[:]...)
	b = AppendBytes(b, "context")
	b = append(AppendDone(b), tag...)
	b = AppendRefusal(b, "Code", "why")

	r := NewReader(b)
	if got := r.Message(); string(got) != "message" {
		t.Errorf("message %q", got)
	}
	if got := r.KeyID(); got != id {
		t.Errorf("key id %x", got)
	}
	if got := r.Bytes(); string(got) != "context" {
		t.Errorf("bytes %q", got)
	}
	if got, why := r.Outcome(); !bytes.Equal(got, tag) || why != nil {
		t.Errorf("outcome %x, %v", got, why)
	}
	if _, why := r.Outcome(); why == nil || *why != (Refusal{"Code", "why"}) {
		t.Errorf("refusal %v", why)
	}
	if r.More() || r.Err() != nil {
		t.Errorf("more %v, error %v", r.More(), r.Err())
	}
}

// A body that is cut anywhere is malformed, and stays so.
func TestCutBodies(t *testing.T) {
	whole := append(AppendDone(AppendMessage(nil, []byte("message"))), bytes.Repeat([]byte{7}, crypto.DataKeyTagBytes)...)
	for n := range whole {
		r := NewReader(whole[:n])
		r.Message()
		r.Outcome()
		if r.Err() == nil || r.More() || r.Bytes() != nil || r.TagKey() != nil {
			t.Errorf("cut after %d bytes: %v", n, r.Err())
		}
	}
	r := NewReader([]byte{2})
	if r.Outcome(); r.Err() == nil {
		t.Error("an outcome of kind 2 is taken")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(AppendMessage(nil, []byte("message")))
	f.Add(AppendRefusal(nil, "Code", "why"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		read := len(r.Message())
		for r.More() {
			tag, why := r.Outcome()
			read += len(tag) + len(r.Bytes())
			if why != nil {
				read += len(why.Code) + len(why.Message)
			}
			r.KeyID()
		}
		if read > len(b) {
			t.Errorf("read %d of %d bytes", read, len(b))
		}
	})
}
