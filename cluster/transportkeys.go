package cluster

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// transportKeys keeps the key pairs ready under which data keys come in, of the
// versions that the state has.
type transportKeys struct {
	mu    sync.Mutex
	ready map[uint32]*crypto.TransportKey // guarded by mu
}

// TransportKey returns a version of the region's transport key that v shows, 0 for
// the newest, ready to use. Errors: ErrSealed, store.ErrNoTransportKey.
func (n *Node) TransportKey(v *store.View, version uint32) (*crypto.TransportKey, error) {
	record, err := v.TransportKey(version)
	if err != nil {
		return nil, err
	}
	ring, err := n.ring()
	if err != nil {
		return nil, err
	}
	n.dataKeys.mu.Lock()
	defer n.dataKeys.mu.Unlock()
	if k, ok := n.dataKeys.ready[record.Version]; ok && string(k.Public().Bytes()) == string(record.Public) {
		return k, nil
	}
	material, err := ring.Unwrap(transportBinding(n.cfg.Region, record.Version), record.Wrapped)
	if errors.Is(err, crypto.ErrKeyringClosed) {
		return nil, ErrSealed
	}
	var k *crypto.TransportKey
	if err == nil {
		k, err = crypto.ParseTransportKey(material)
		material.Wipe()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: transport key, version %d: %w", errMaterial, record.Version, err)
	}
	if string(k.Public().Bytes()) != string(record.Public) {
		return nil, fmt.Errorf("%w: transport key, version %d: its halves are of two pairs", errMaterial, record.Version)
	}
	return k, n.dataKeys.keep(v, record.Version, k)
}

// keep keeps a version, and lets go of those that v does not show any more. The
// caller holds mu.
func (t *transportKeys) keep(v *store.View, version uint32, k *crypto.TransportKey) error {
	records, err := v.TransportKeys()
	if err != nil {
		return err
	}
	kept := map[uint32]*crypto.TransportKey{version: k}
	for _, r := range records {
		if old, ok := t.ready[r.Version]; ok && r.Version != version {
			kept[r.Version] = old
		}
	}
	t.ready = kept
	return nil
}

// close lets go of all of them.
func (t *transportKeys) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = nil
}

// NewTransportKey makes the command that gives the region a transport key after the
// version that is expected to be the newest, 0 for none. Error: ErrSealed.
func (n *Node) NewTransportKey(expected uint32) (*storepb.AddTransportKey, error) {
	k, err := crypto.GenerateTransportKey()
	if err != nil {
		return nil, err
	}
	material, err := k.Marshal()
	if err != nil {
		return nil, err
	}
	defer material.Wipe()
	wrapped, err := n.Wrap(transportBinding(n.cfg.Region, expected+1), material)
	if err != nil {
		return nil, err
	}
	return &storepb.AddTransportKey{Expected: expected, Public: k.Public().Bytes(), Wrapped: wrapped}, nil
}

// transportBinding is the place of the private half of a transport key.
func transportBinding(region string, version uint32) crypto.Binding {
	return crypto.Binding{Region: region, Purpose: crypto.PurposeTransport, Name: strconv.FormatUint(uint64(version), 10)}
}

// ensureTransportKey gives the region its first transport key.
func (n *Node) ensureTransportKey(t *openTerm) error {
	if n.keyring.Load() == nil {
		return nil
	}
	there, err := n.hasTransportKey()
	if err != nil || there {
		return err
	}
	command, err := n.NewTransportKey(0)
	if err != nil {
		return err
	}
	result, err := n.Propose(t.ctx, &storepb.Command{Origin: n.ownOrigin(), Body: &storepb.Command_AddTransportKey{AddTransportKey: command}})
	switch {
	case err != nil:
		return fmt.Errorf("making the transport key: %w", err)
	case result.Code == storepb.Code_OK:
		n.log.Info("the region has a transport key", "version", result.TransportVersion)
	case result.Code != storepb.Code_PRIMARY_CHANGED: // somebody was faster
		return fmt.Errorf("making the transport key: %s %s", result.Code, result.What)
	}
	return nil
}

func (n *Node) hasTransportKey() (bool, error) {
	v, err := n.store.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	keys, err := v.TransportKeys()
	return len(keys) > 0, err
}
