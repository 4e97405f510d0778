package store

import (
	"errors"
	"slices"
	"time"

	"meridian/crypto"
	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// TransportKey is a key pair under which data keys come in from other regions. It is shared between readers: never modify
// it.
type TransportKey struct {
	Version uint32 // from 1
	Public  []byte // crypto.TransportPublicBytes
	Wrapped []byte // the private half, sealed under the region's KEK
	Created time.Time
}

// ErrNoTransportKey says that the region has no transport key of that version, or none yet.
var ErrNoTransportKey = errors.New("store: no such transport key")

// keptTransportKeys are how many there are at the most: the newest, and the one before for what is on its way.
const keptTransportKeys = 2

// addTransportKey gives the region a new transport key.
func (a *applier) addTransportKey(c *storepb.AddTransportKey) (*storepb.Result, error) {
	switch {
	case len(c.Public) != crypto.TransportPublicBytes:
		return nil, invalid("a transport key with a public half of %d bytes", len(c.Public))
	case len(c.Wrapped) == 0:
		return nil, invalid("a transport key without a private half")
	}
	keys := new(storepb.TransportKeysRecord)
	if _, err := a.tables[record.Region].load(record.TransportKeys, keys); err != nil {
		return nil, err
	}
	newest := uint32(0)
	if n := len(keys.Keys); n > 0 {
		newest = keys.Keys[n-1].Version
	}
	if c.Expected != newest {
		return nil, refuse(storepb.Code_PRIMARY_CHANGED)
	}
	keys.Keys = append(keys.Keys, &storepb.TransportKeyRecord{Version: newest + 1, Public: c.Public, Wrapped: c.Wrapped, CreatedMs: a.stamp})
	if extra := len(keys.Keys) - keptTransportKeys; extra > 0 {
		keys.Keys = keys.Keys[extra:]
	}
	a.memos.transport.touch(struct{}{}, a.index)
	if err := a.put(record.Region, record.TransportKeys, keys); err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK, TransportVersion: newest + 1}, nil
}

// TransportKeys returns the region's transport keys, the newest last; none in a region that is just being made.
func (v *View) TransportKeys() (keys []*TransportKey, err error) {
	if keys, ok := v.memos.transport.get(struct{}{}, v.state.AppliedIndex); ok {
		return keys, nil
	}
	err = guarded(func() error {
		keys, err = v.readTransportKeys()
		return err
	})
	if err == nil {
		v.memos.transport.put(struct{}{}, v.state.AppliedIndex, keys)
	}
	return keys, err
}

func (v *View) readTransportKeys() (keys []*TransportKey, err error) {
	t, err := v.table(record.Region)
	if err != nil {
		return nil, err
	}
	r := new(storepb.TransportKeysRecord)
	if _, err := t.load(record.TransportKeys, r); err != nil {
		return nil, err
	}
	for _, k := range r.Keys {
		keys = append(keys, &TransportKey{Version: k.Version, Public: k.Public, Wrapped: k.Wrapped, Created: timeOf(k.CreatedMs)})
	}
	return keys, nil
}

// TransportKey returns a version, 0 for the newest. Error: [ErrNoTransportKey].
func (v *View) TransportKey(version uint32) (*TransportKey, error) {
	keys, err := v.TransportKeys()
	if err != nil {
		return nil, err
	}
	if version == 0 && len(keys) > 0 {
		return keys[len(keys)-1], nil
	}
	at := slices.IndexFunc(keys, func(k *TransportKey) bool { return k.Version == version })
	if at < 0 {
		return nil, ErrNoTransportKey
	}
	return keys[at], nil
}
