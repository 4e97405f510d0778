package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"meridian/crypto"
	"meridian/crypto/seal"
	"meridian/store"
	"meridian/store/storepb"
)

// canary is the text that shows that a keyring is the region's own.
const canary = "meridian canary: the keyring of this region is open"

func canaryBinding(region string, clusterID []byte) crypto.Binding {
	b := crypto.Binding{Region: region, Purpose: crypto.PurposeCanary}
	copy(b.KeyID[:], clusterID)
	return b
}

// checkCanary proves that the keyring opens what the region has sealed.
func checkCanary(ring *crypto.Keyring, region store.Region) error {
	text, err := ring.Unwrap(canaryBinding(region.Region, region.ClusterID), region.Canary)
	if err != nil {
		return fmt.Errorf("the region's canary: %w", err)
	}
	defer text.Wipe()
	if string(text) != canary {
		return errors.New("cluster: the region's canary is another text")
	}
	return nil
}

// regionNow returns the region as this node's state has it.
func (n *Node) regionNow() (store.Region, bool, error) {
	v, err := n.store.View()
	if err != nil {
		return store.Region{}, false, err
	}
	defer v.Close()
	region, ok := v.Region()
	return region, ok, nil
}

// makeRegion proposes InitRegion unless the region is there. The seal provider
// is tried with wrap and unwrap before anything is written.
func (n *Node) makeRegion(ctx context.Context) error {
	if _, ok, err := n.regionNow(); err != nil || ok {
		return err
	}
	if n.cfg.Seal == nil {
		return fmt.Errorf("%w: making the region needs a root key", ErrSealed)
	}
	clusterID, epoch := make([]byte, 16), make([]byte, 16)
	rand.Read(clusterID)
	rand.Read(epoch)
	ring, err := crypto.GenerateKeyring()
	if err != nil {
		return err
	}
	defer ring.Close()
	wrapped, err := wrapKeyring(ctx, n.cfg.Seal, ring, seal.KeyringAAD(n.cfg.Region, clusterID))
	if err != nil {
		return err
	}
	sealed, err := ring.Wrap(canaryBinding(n.cfg.Region, clusterID), []byte(canary))
	if err != nil {
		return err
	}
	result, err := n.Propose(ctx, &storepb.Command{
		Origin: n.ownOrigin(),
		Body: &storepb.Command_InitRegion{InitRegion: &storepb.InitRegion{
			ClusterId: clusterID, DataEpoch: epoch, Region: n.cfg.Region, Account: n.cfg.Account,
			Keyrings:     []*storepb.WrappedKeyring{{Provider: wrapped.Provider, KeyId: wrapped.KeyID, Ciphertext: wrapped.Ciphertext}},
			Canary:       sealed,
			FeatureLevel: store.FeatureLevel,
		}},
	})
	if err != nil {
		return err
	}
	switch result.Code {
	case storepb.Code_OK:
		n.log.Info("the region was made", "region", n.cfg.Region, "cluster", fmt.Sprintf("%x", clusterID))
		return nil
	case storepb.Code_REGION_EXISTS:
		return nil
	}
	return fmt.Errorf("making the region: %s %s", result.Code, result.What)
}

// wrapKeyring wraps a keyring and proves that it can be had back.
func wrapKeyring(ctx context.Context, provider seal.Provider, ring *crypto.Keyring, aad []byte) (seal.Wrapped, error) {
	plain := ring.Marshal()
	defer plain.Wipe()
	wrapped, err := provider.Wrap(ctx, plain, aad)
	if err != nil {
		return seal.Wrapped{}, fmt.Errorf("wrapping the keyring under the root key: %w", err)
	}
	back, err := provider.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return seal.Wrapped{}, fmt.Errorf("unwrapping the keyring under the root key: %w", err)
	}
	defer back.Wipe()
	if !back.Equal(plain) {
		return seal.Wrapped{}, errors.New("cluster: the root key returned another keyring than it wrapped")
	}
	return wrapped, nil
}

// keepUnsealed opens the keyring when the region appears, and again when it was
// replaced. A provider that is down is asked again; meanwhile the node
// replicates and refuses crypto.
func (n *Node) keepUnsealed() {
	retry := backoff{least: 500 * time.Millisecond, most: 30 * time.Second}
	var open []byte // ciphertext of the keyring that is open
	for {
		select {
		case <-n.regionSet:
		case <-n.ctx.Done():
			return
		}
		for {
			region, ok, err := n.regionNow()
			if err != nil {
				n.log.Error("the region's keyring cannot be read", "error", err)
				if !retry.wait(n.ctx) {
					return
				}
				continue
			}
			if !ok {
				break
			}
			if n.keyring.Load() != nil && len(region.Keyrings) > 0 && bytes.Equal(open, region.Keyrings[0].Ciphertext) {
				break
			}
			if err = n.unseal(region); err == nil {
				open = region.Keyrings[0].Ciphertext
				retry.reset()
				break
			}
			if errors.Is(err, ErrForeignData) {
				n.fail(err)
				return
			}
			text := err.Error()
			n.sealError.Store(&text)
			n.log.Error("the node stays sealed", "error", err)
			if !retry.wait(n.ctx) {
				return
			}
		}
	}
}

func (n *Node) unseal(region store.Region) error {
	if region.Region != n.cfg.Region || region.Account != n.cfg.Account {
		return fmt.Errorf("%w: the region is %q of account %q, configured are %q and %q",
			ErrForeignData, region.Region, region.Account, n.cfg.Region, n.cfg.Account)
	}
	if n.cfg.Seal == nil {
		return fmt.Errorf("%w: no root key is configured", ErrSealed)
	}
	var errs []error
	for _, w := range region.Keyrings {
		if w.Provider != n.cfg.Seal.Name() {
			errs = append(errs, fmt.Errorf("the keyring is wrapped by %q, configured is %q", w.Provider, n.cfg.Seal.Name()))
			continue
		}
		plain, err := n.cfg.Seal.Unwrap(n.ctx, seal.Wrapped{Provider: w.Provider, KeyID: w.KeyID, Ciphertext: w.Ciphertext},
			seal.KeyringAAD(region.Region, region.ClusterID))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		ring, err := crypto.ParseKeyring(plain)
		plain.Wipe()
		if err == nil {
			if err = checkCanary(ring, region); err != nil {
				ring.Close()
			}
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		n.sealError.Store(nil)
		if old := n.keyring.Swap(ring); old != nil {
			old.Close()
		}
		n.ciphers.dropAll(n.machine.applied.value.Load())
		signal(n.unsealed)
		n.log.Info("unsealed", "provider", w.Provider, "root_key", w.KeyID)
		return nil
	}
	return errors.Join(append(errs, ErrSealed)...)
}

// whySealed explains ErrSealed.
func (n *Node) whySealed() error {
	if text := n.sealError.Load(); text != nil {
		return fmt.Errorf("%w: %s", ErrSealed, *text)
	}
	return ErrSealed
}

// keepRegistered registers the incarnation of the data folder once the region is
// there. It ends when the state has it.
func (n *Node) keepRegistered() {
	retry := backoff{least: 50 * time.Millisecond, most: time.Second}
	for n.ctx.Err() == nil {
		done, err := n.register()
		switch {
		case err != nil && errors.Is(err, ErrReplaced):
			n.fail(err)
			return
		case err != nil:
			n.log.Debug("the node is not registered yet", "error", err)
		case done:
			return
		}
		if !retry.wait(n.ctx) {
			return
		}
	}
}

func (n *Node) register() (done bool, err error) {
	if _, ok, err := n.regionNow(); err != nil || !ok {
		return false, err
	}
	known, err := n.registered(n.cfg.NodeID)
	if err != nil {
		return false, err
	}
	if known == nil {
		result, err := n.Propose(n.ctx, &storepb.Command{
			Origin: n.ownOrigin(),
			Body: &storepb.Command_RegisterNode{RegisterNode: &storepb.RegisterNode{
				Id: n.cfg.NodeID, Incarnation: n.identity.incarnation,
			}},
		})
		if err != nil {
			return false, err
		}
		if result.Code == storepb.Code_OK {
			return true, nil
		}
		if result.Code != storepb.Code_NODE_EXISTS {
			return false, fmt.Errorf("registering the node: %s", result.Code)
		}
		return false, fmt.Errorf("%w: node %q is registered with another data folder", ErrReplaced, n.cfg.NodeID)
	}
	if !bytes.Equal(known, n.identity.incarnation) {
		return false, fmt.Errorf("%w: node %q is registered with another data folder", ErrReplaced, n.cfg.NodeID)
	}
	return true, nil
}

// jitter returns d, give or take a quarter.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(mathrand.Int64N(int64(d)/2+1))
}
