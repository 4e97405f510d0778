package cluster

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"meridian/crypto"
	"meridian/store"
)

// cipherIdle is how long a key version that nobody uses stays ready.
const cipherIdle = time.Hour

// ciphers keeps key versions ready to use, bounded by count and time. It holds
// only what cannot change, the material of a version: whether a key may be used
// is read from the view each time. An applied command that takes a key out of
// use drops its material.
type ciphers struct {
	region string
	cache  *otter.Cache[crypto.KeyID, *keyCiphers]
	// drops counts invalidations, and dropped is where the state was at the last
	// one. Material that was read before one, or from a view from before it, and
	// would be put in after it is not kept.
	drops   atomic.Uint64
	dropped atomic.Uint64
}

var (
	// errMaterial: the record is intact, but its material does not open.
	errMaterial = errors.New("cluster: key material does not open under the region's keyring")
	// errAlgorithm: the record is intact, but of an algorithm that this build does not
	// have, or that is not for what was asked.
	errAlgorithm = errors.New("cluster: the key version's algorithm is unknown to this build, or not for this")
)

// keyCiphers are the versions of one key that are ready. Immutable.
type keyCiphers struct{ versions []readyVersion }

// readyVersion is a key version ready to use: a cipher or a key pair.
type readyVersion struct {
	id      crypto.VersionID
	cipher  crypto.Cipher      // of a symmetric one
	private *crypto.PrivateKey // of an asymmetric one
}

func (k *keyCiphers) find(version crypto.VersionID) *readyVersion {
	for i := len(k.versions) - 1; i >= 0; i-- { // the newest is used most
		if k.versions[i].id == version {
			return &k.versions[i]
		}
	}
	return nil
}

func newCiphers(region string, most int) (*ciphers, error) {
	cache, err := otter.New(&otter.Options[crypto.KeyID, *keyCiphers]{
		MaximumWeight:    uint64(most),
		Weigher:          func(_ crypto.KeyID, k *keyCiphers) uint32 { return uint32(len(k.versions)) },
		ExpiryCalculator: otter.ExpiryAccessing[crypto.KeyID, *keyCiphers](cipherIdle),
	})
	if err != nil {
		return nil, err
	}
	return &ciphers{region: region, cache: cache}, nil
}

func (c *ciphers) close() {
	c.dropAll(c.dropped.Load())
	c.cache.StopAllGoroutines()
}

// drop takes the material of keys out, which are out of use from an index on.
func (c *ciphers) drop(index uint64, ids ...crypto.KeyID) {
	c.dropped.Store(index)
	c.drops.Add(1)
	for _, id := range ids {
		c.cache.Invalidate(id)
	}
}

func (c *ciphers) dropAll(index uint64) {
	c.dropped.Store(index)
	c.drops.Add(1)
	c.cache.InvalidateAll()
}

// cipher returns the cipher of a version of a symmetric key, which belongs to the view.
func (c *ciphers) cipher(ring *crypto.Keyring, v *store.View, id crypto.KeyID, version crypto.VersionID) (crypto.Cipher, error) {
	ready, err := c.get(ring, v, id, version)
	if err != nil {
		return nil, err
	}
	if ready.cipher == nil {
		return nil, fmt.Errorf("%w: key %s, version %s: %v is no cipher", errAlgorithm, id, version, ready.private.Algorithm())
	}
	return ready.cipher, nil
}

// privateKey returns the key pair that is a version of an asymmetric key, which
// belongs to the view.
func (c *ciphers) privateKey(ring *crypto.Keyring, v *store.View, id crypto.KeyID, version crypto.VersionID) (*crypto.PrivateKey, error) {
	ready, err := c.get(ring, v, id, version)
	if err != nil {
		return nil, err
	}
	if ready.private == nil {
		return nil, fmt.Errorf("%w: key %s, version %s: %v has no key pair", errAlgorithm, id, version, ready.cipher.Algorithm())
	}
	return ready.private, nil
}

// get returns a version of the key, which belongs to the view, ready to use.
func (c *ciphers) get(ring *crypto.Keyring, v *store.View, id crypto.KeyID, version crypto.VersionID) (*readyVersion, error) {
	if k, ok := c.cache.GetIfPresent(id); ok {
		if ready := k.find(version); ready != nil {
			return ready, nil
		}
	}
	drops := c.drops.Load()
	record, err := v.Version(id, version)
	if err != nil {
		return nil, err
	}
	ready, err := c.open(ring, record)
	if err != nil {
		return nil, err
	}
	if v.Index() >= c.dropped.Load() {
		c.keep(drops, id, *ready)
	}
	return ready, nil
}

// open makes a version ready to use.
func (c *ciphers) open(ring *crypto.Keyring, record *store.Version) (*readyVersion, error) {
	switch err := record.Algorithm.Available(); {
	case errors.Is(err, crypto.ErrAlgorithm):
		return nil, fmt.Errorf("%w: key %s, version %s: %v", errAlgorithm, record.KeyID, record.ID, record.Algorithm)
	case err != nil:
		return nil, fmt.Errorf("cluster: key %s, version %s: %w", record.KeyID, record.ID, err)
	}
	material, err := ring.Unwrap(crypto.MaterialOf(c.region, record.KeyID, record.ID, record.Algorithm), record.Wrapped)
	if errors.Is(err, crypto.ErrKeyringClosed) {
		return nil, ErrSealed
	}
	ready := &readyVersion{id: record.ID}
	switch {
	case err != nil:
	case record.Algorithm.Symmetric():
		ready.cipher, err = crypto.NewCipher(record.Algorithm, material)
	default:
		ready.private, err = crypto.ParsePrivateKey(record.Algorithm, material)
	}
	material.Wipe()
	if err != nil {
		return nil, fmt.Errorf("%w: key %s, version %s: %w", errMaterial, record.KeyID, record.ID, err)
	}
	return ready, nil
}

// keep adds a version unless anything was dropped since the count was read.
func (c *ciphers) keep(drops uint64, id crypto.KeyID, add readyVersion) {
	c.cache.Compute(id, func(old *keyCiphers, found bool) (*keyCiphers, otter.ComputeOp) {
		if c.drops.Load() != drops {
			return old, otter.CancelOp
		}
		k := new(keyCiphers)
		if found {
			if old.find(add.id) != nil {
				return old, otter.CancelOp
			}
			k.versions = append(k.versions, old.versions...)
		}
		k.versions = append(k.versions, add)
		return k, otter.WriteOp
	})
}
