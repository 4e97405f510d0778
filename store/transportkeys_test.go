package store

import (
	"bytes"
	"errors"
	"testing"

	"meridian/crypto"
	"meridian/store/storepb"
)

// addTransportKey makes version expected + 1.
func addTransportKey(expected int) *storepb.AddTransportKey {
	return &storepb.AddTransportKey{Expected: uint32(expected), Public: transportPublic(expected + 1), Wrapped: material(expected + 1)}
}

func transportPublic(n int) []byte { return bytes.Repeat([]byte{byte(n)}, crypto.TransportPublicBytes) }

func TestTransportKeys(t *testing.T) {
	r := newRegion(t)
	r.read(func(v *View) {
		if _, err := v.TransportKey(0); !errors.Is(err, ErrNoTransportKey) {
			t.Errorf("a new region: %v; want ErrNoTransportKey", err)
		}
	})
	for _, broken := range []*storepb.AddTransportKey{
		{Public: transportPublic(1)[1:], Wrapped: material(1)}, {Public: append(transportPublic(1), 0), Wrapped: material(1)}, {Public: transportPublic(1)},
	} {
		r.refused(storepb.Code_INVALID, broken)
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, addTransportKey(1))
	for n := range 3 {
		if result := r.ok(addTransportKey(n)); result.TransportVersion != uint32(n+1) {
			t.Errorf("version %d; want %d", result.TransportVersion, n+1)
		}
	}
	r.refused(storepb.Code_PRIMARY_CHANGED, addTransportKey(2))
	r.reopen()
	r.read(func(v *View) {
		newest, err := v.TransportKey(0)
		if err != nil || newest.Version != 3 || !bytes.Equal(newest.Public, transportPublic(3)) || !bytes.Equal(newest.Wrapped, material(3)) {
			t.Errorf("the newest: %+v, %v", newest, err)
		}
		if before, err := v.TransportKey(2); err != nil || before.Version != 2 {
			t.Errorf("the one before: %+v, %v", before, err)
		}
		if _, err := v.TransportKey(1); !errors.Is(err, ErrNoTransportKey) {
			t.Errorf("an older one: %v; want ErrNoTransportKey", err)
		}
	})
}

// A view shows what was there at its index, though newer views have read on.
func TestTransportKeysOfAView(t *testing.T) {
	r := newRegion(t)
	r.ok(addTransportKey(0))
	old := r.view()
	r.ok(addTransportKey(1))
	r.read(func(v *View) {
		if k, err := v.TransportKey(0); err != nil || k.Version != 2 {
			t.Errorf("the new view: %+v, %v", k, err)
		}
	})
	if k, err := old.TransportKey(0); err != nil || k.Version != 1 {
		t.Errorf("the old view: %+v, %v", k, err)
	}
}
