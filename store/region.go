package store

import (
	"fmt"
	"time"

	"meridian/store/internal/record"
	"meridian/store/storepb"
)

// Region is what the region as a whole is. It is shared between readers:
// never modify it.
type Region struct {
	ClusterID    []byte // 16 bytes, random, for ever
	DataEpoch    []byte // 16 bytes, random, new at each restore by a user
	Region       string
	Account      string
	Keyrings     []WrappedKeyring // the same keyring under each root key
	Canary       []byte           // known text sealed under the KEK
	FeatureLevel uint32
	Created      time.Time
}

// WrappedKeyring is the region's keyring wrapped by a root key.
type WrappedKeyring struct {
	Provider   string // name of the seal provider
	KeyID      string // root key, or its version, that wrapped it
	Ciphertext []byte
}

// NodeRecord binds a node id to the data it was registered with.
type NodeRecord struct {
	Incarnation []byte // 16 bytes, random
	Registered  time.Time
}

// initRegion makes the region, once.
func (a *applier) initRegion(c *storepb.InitRegion) (*storepb.Result, error) {
	switch {
	case len(c.ClusterId) != record.IDBytes:
		return nil, invalid("cluster id of %d bytes", len(c.ClusterId))
	case len(c.DataEpoch) != record.IDBytes:
		return nil, invalid("data epoch of %d bytes", len(c.DataEpoch))
	case c.Region == "":
		return nil, invalid("no region")
	case c.FeatureLevel == 0:
		return nil, invalid("no feature level")
	case c.FeatureLevel > FeatureLevel:
		return nil, fmt.Errorf("%w: feature level %d", ErrUnknownCommand, c.FeatureLevel)
	}
	if _, found, err := a.tables[record.Region].get(record.RegionKey); err != nil {
		return nil, err
	} else if found {
		return nil, refuse(storepb.Code_REGION_EXISTS)
	}
	a.memos.region.touch(struct{}{}, a.index)
	err := a.put(record.Region, record.RegionKey, &storepb.RegionRecord{
		ClusterId:    c.ClusterId,
		DataEpoch:    c.DataEpoch,
		Region:       c.Region,
		Account:      c.Account,
		Keyrings:     c.Keyrings,
		Canary:       c.Canary,
		FeatureLevel: c.FeatureLevel,
		CreatedMs:    a.stamp,
	})
	if err != nil {
		return nil, err
	}
	return &storepb.Result{Code: storepb.Code_OK}, nil
}

// registerNode binds a node id to an incarnation of its data. The same one may
// come again, another one is refused.
func (a *applier) registerNode(c *storepb.RegisterNode) (*storepb.Result, error) {
	if c.Id == "" || len(c.Id) > maxNameBytes || len(c.Incarnation) != record.IDBytes {
		return nil, invalid("node id of %d bytes, incarnation of %d", len(c.Id), len(c.Incarnation))
	}
	old := new(storepb.NodeRecord)
	found, err := a.tables[record.Nodes].load([]byte(c.Id), old)
	if err != nil {
		return nil, err
	}
	if found && string(old.Incarnation) != string(c.Incarnation) {
		return nil, refuse(storepb.Code_NODE_EXISTS)
	}
	if !found {
		node := &storepb.NodeRecord{Incarnation: c.Incarnation, RegisteredMs: a.stamp}
		if err := a.put(record.Nodes, []byte(c.Id), node); err != nil {
			return nil, err
		}
	}
	return &storepb.Result{Code: storepb.Code_OK}, nil
}

// needRegion refuses a command that comes before the region was made.
func (a *applier) needRegion() error {
	if a.hasRegion {
		return nil
	}
	_, found, err := a.tables[record.Region].get(record.RegionKey)
	if err != nil {
		return err
	}
	if !found {
		return refuse(storepb.Code_REGION_MISSING)
	}
	a.hasRegion = true
	return nil
}

// loadRegion returns the region's record, or nil before there is one.
func loadRegion(t table) (*storepb.RegionRecord, error) {
	r := new(storepb.RegionRecord)
	found, err := t.load(record.RegionKey, r)
	if err != nil || !found {
		return nil, err
	}
	return r, nil
}

// regionOf decodes the record.
func regionOf(r *storepb.RegionRecord) *Region {
	region := &Region{
		ClusterID:    r.ClusterId,
		DataEpoch:    r.DataEpoch,
		Region:       r.Region,
		Account:      r.Account,
		Canary:       r.Canary,
		FeatureLevel: r.FeatureLevel,
		Created:      timeOf(r.CreatedMs),
	}
	for _, k := range r.Keyrings {
		region.Keyrings = append(region.Keyrings, WrappedKeyring{k.Provider, k.KeyId, k.Ciphertext})
	}
	return region
}
