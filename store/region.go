package store

import "time"

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
