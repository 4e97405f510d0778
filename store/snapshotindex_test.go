package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestSnapshotIndex(t *testing.T) {
	r := newRegion(t)
	for n := range 5 {
		r.ok(createKey(n))
	}
	data := r.snapshot()
	want, _ := r.store.Applied()
	if got, err := SnapshotIndex(bytes.NewReader(data)); err != nil || got != want {
		t.Fatalf("index %d, %v; want %d", got, err, want)
	}
	longer := bytes.Clone(data)
	binary.BigEndian.PutUint64(longer[len(snapshotMagic):], 1<<63)
	for name, bad := range map[string][]byte{
		"empty":             nil,
		"header only":       data[:10],
		"another format":    append([]byte("MERISNP9"), data[8:]...),
		"without a trailer": data[:len(data)/2],
		"absurd size":       longer,
	} {
		if _, err := SnapshotIndex(bytes.NewReader(bad)); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v, want ErrSnapshot", name, err)
		}
	}
}

func FuzzSnapshotIndex(f *testing.F) {
	f.Add([]byte(snapshotMagic + "\x00\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x00\x02\x08\x07"))
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := SnapshotIndex(bytes.NewReader(data)); err != nil && !errors.Is(err, ErrSnapshot) {
			t.Errorf("%v is not ErrSnapshot", err)
		}
	})
}
