package migrate

import (
	"encoding/binary"
	"testing"

	"meridian/crypto"
)

// Rows are counted by what their blobs' headers say, of however many keys they are, and what is remembered of headers is
// bounded.
func TestTallyByHeader(t *testing.T) {
	x, err := crypto.NewXAES(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(key int) ([]byte, string) {
		h := crypto.Header{Algorithm: crypto.AlgorithmXAES256GCM, Region: "cn-a"}
		binary.BigEndian.PutUint32(h.KeyID[:], uint32(key))
		blob, err := crypto.SealBlob(nil, x, h, crypto.Context{}, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		return blob, sourceName(h)
	}
	const beyond = 5
	var counted tally
	blobs, names := make([][]byte, maxGroups+beyond), make([]string, maxGroups+beyond)
	for i := range blobs {
		blobs[i], names[i] = sealed(i)
		counted.row(&Row{Blob: blobs[i]}, &Outcome{Status: Failed})
		if len(counted.names) > maxGroups {
			t.Fatalf("%d names are kept", len(counted.names))
		}
	}
	counted.row(&Row{}, &Outcome{Status: Failed}) // no blob, and one too many
	groups := counted.take()
	if len(groups) != maxGroups+1 {
		t.Fatalf("%d groups", len(groups))
	}
	for i, g := range groups {
		want := GroupCount{Source: otherGroups, Counts: Counts{Failed: beyond + 1}}
		if i < maxGroups {
			want = GroupCount{Source: names[i], Counts: Counts{Failed: 1}}
		}
		if g != want {
			t.Errorf("group %d is %+v, want %+v", i, g, want)
		}
	}

	// Known groups are told apart also after what was counted has been taken; new ones are not.
	for range 2 {
		counted.row(&Row{Blob: blobs[1]}, &Outcome{Status: Skipped})
		counted.row(&Row{Blob: blobs[1]}, &Outcome{Status: Moved, Blob: blobs[2], From: "as said"})
	}
	want := []GroupCount{{Source: names[1], Counts: Counts{Skipped: 2}}, {Source: otherGroups, Counts: Counts{Moved: 2}}}
	if got := counted.take(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
	var fresh tally
	fresh.row(&Row{Blob: blobs[1]}, &Outcome{Status: Moved, Blob: blobs[2], From: "as said"})
	if got := fresh.take(); len(got) != 1 || got[0] != (GroupCount{Source: "as said", Target: names[2], Counts: Counts{Moved: 1}}) {
		t.Errorf("%+v", got)
	}
}
