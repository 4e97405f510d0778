package cluster_test

import (
	"errors"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Imported material expires by the clock that the voters agree on, and leaves the
// memory of every node.
func TestImportedMaterialExpires(t *testing.T) {
	clocks := make([]shiftedClock, 3)
	r := clustertest.New(t, clustertest.Options{Configure: func(i int, c *cluster.Config) { c.Now = clocks[i].now }})
	ctx := within(t, time.Minute)
	key, err := clustertest.ImportKey(ctx, r.Node(0), regionName, time.Now().Add(week))
	must(t, err)
	lasting, err := clustertest.ImportKey(ctx, r.Node(0), regionName, time.Time{})
	must(t, err)
	s, _, err := sealOn(ctx, r.Node(0), key)
	must(t, err)
	for i := range r.Len() {
		must(t, openOn(ctx, r.Node(i), key, s))
		if !r.Node(i).IsReady(key) {
			t.Fatalf("node %d does not keep what was used", i)
		}
	}
	const jump = int64(week + time.Hour)
	leader := r.Leader()
	clocks[leader].offset.Store(jump)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if state, err := stateOf(ctx, r, leader, key); err != nil || state != store.Enabled {
			t.Fatalf("the leader's clock alone had material expire: %v, %v", state, err)
		}
	}
	for i := range clocks {
		clocks[i].offset.Store(jump)
	}
	for i := range r.Len() {
		waitFor(t, func() bool {
			state, err := stateOf(ctx, r, i, key)
			return err == nil && state == store.PendingImport && !r.Node(i).IsReady(key)
		})
		if err := openOn(ctx, r.Node(i), key, s); !errors.Is(err, store.ErrVersionNotFound) {
			t.Errorf("node %d opens under expired material: %v", i, err)
		}
		if state, err := stateOf(ctx, r, i, lasting); err != nil || state != store.Enabled {
			t.Errorf("material without an expiry: %v, %v", state, err)
		}
	}
}

// Material that is deleted is out of use, and of memory, on every node.
func TestDeletedMaterialLeavesMemory(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, time.Minute)
	key, err := clustertest.ImportKey(ctx, r.Node(0), regionName, time.Time{})
	must(t, err)
	s, _, err := sealOn(ctx, r.Node(0), key)
	must(t, err)
	for i := range r.Len() {
		must(t, openOn(ctx, r.Node(i), key, s))
	}
	must(t, clustertest.Decide(r.Node(1).Propose(ctx, clustertest.DeleteMaterial(key))))
	for i := range r.Len() {
		if err := openOn(ctx, r.Node(i), key, s); !errors.Is(err, store.ErrVersionNotFound) {
			t.Errorf("node %d opens under deleted material: %v", i, err)
		}
		waitFor(t, func() bool { return !r.Node(i).IsReady(key) })
	}
}

// A key pair that one node made is used on every node.
func TestPrivateKeyOnEveryNode(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, time.Minute)
	pair, err := clustertest.CreateKeyWith(ctx, r.Node(0), regionName, &storepb.CreateKey{
		Spec: "EC_P256", Usage: "SIGN/VERIFY", Algorithm: uint32(crypto.AlgorithmECP256),
	})
	must(t, err)
	symmetric, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	use := func(i int, key crypto.KeyID, f func(v *store.View, k *store.Key) error) {
		t.Helper()
		must(t, r.Node(i).Read(ctx, func(v *store.View) error {
			k, err := v.Key(key)
			if err != nil {
				return err
			}
			return f(v, k)
		}))
	}
	digest := make([]byte, crypto.DigestBytes)
	var signature []byte
	use(0, pair, func(v *store.View, k *store.Key) error {
		private, err := r.Node(0).PrivateKey(v, k, k.PrimaryVersion)
		if err != nil {
			return err
		}
		signature, err = private.Sign(crypto.ECDSASHA256, digest)
		return err
	})
	for i := range r.Len() {
		n := r.Node(i)
		use(i, pair, func(v *store.View, k *store.Key) error {
			private, err := n.PrivateKey(v, k, k.PrimaryVersion)
			if err != nil {
				return err
			}
			if ok, err := private.Public().Verify(crypto.ECDSASHA256, digest, signature); err != nil || !ok {
				t.Errorf("node %d: %v, %v", i, ok, err)
			}
			if again, err := n.PrivateKey(v, k, k.PrimaryVersion); err != nil || again != private {
				t.Errorf("node %d does not keep it: %v", i, err)
			}
			if _, err := n.PrivateKey(v, k, crypto.NewVersionID()); !errors.Is(err, store.ErrVersionNotFound) {
				t.Errorf("unknown version: %v", err)
			}
			if _, err := n.Cipher(v, k, k.PrimaryVersion); err == nil {
				t.Error("a key pair is a cipher")
			}
			return nil
		})
		use(i, symmetric, func(v *store.View, k *store.Key) error {
			if _, err := n.PrivateKey(v, k, k.PrimaryVersion); err == nil {
				t.Error("a cipher is a key pair")
			}
			return nil
		})
	}
}

// What a node wraps it unwraps and checks, and every node recognises it.
func TestMaterialBesidesVersions(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	n := r.Node(0)
	waitFor(t, func() bool { return !n.Status().Sealed })
	place := crypto.MaterialOf(regionName, crypto.NewKeyID(), crypto.NewVersionID(), crypto.AlgorithmXSM4GCM)
	material := crypto.NewMaterial(place.Algorithm)
	wrapped, err := n.Wrap(place, material)
	must(t, err)
	token := place
	token.Purpose = crypto.PurposeImport
	if got, err := n.Unwrap(place, wrapped); err != nil || !got.Equal(material) {
		t.Errorf("unwrapped: %v", err)
	}
	if _, err := n.Unwrap(token, wrapped); !errors.Is(err, crypto.ErrUnwrap) {
		t.Errorf("unwrapped for something else: %v", err)
	}
	must(t, n.SelfCheck(place, wrapped))
	if err := n.SelfCheck(token, wrapped); !errors.Is(err, crypto.ErrUnwrap) {
		t.Errorf("checked for something else: %v", err)
	}
	fingerprint, err := n.Fingerprint(place, material)
	must(t, err)
	for i := range r.Len() {
		waitFor(t, func() bool { return !r.Node(i).Status().Sealed })
		if same, err := r.Node(i).SameMaterial(place, fingerprint, material); err != nil || !same {
			t.Errorf("node %d: the same material is not: %v", i, err)
		}
		if same, err := r.Node(i).SameMaterial(place, fingerprint, crypto.NewMaterial(place.Algorithm)); err != nil || same {
			t.Errorf("node %d: other material is the same: %v", i, err)
		}
	}
}
