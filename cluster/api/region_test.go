package api

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/cluster"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

const (
	testRegionID = "cn-hangzhou"
	testAccount  = "1234567890123456"
)

// testRegion is a region of one node without a log: commands are applied to a real store at once, and material is
// wrapped by a real keyring.
type testRegion struct {
	store   *store.Store
	keyring *crypto.Keyring
	now     func() time.Time

	mu     sync.Mutex
	index  uint64
	stamp  time.Time
	sealed bool
	// again makes every read do its work twice, as a node does whose first view proved too old; it is called between.
	again func()
	// between is called when a read is over.
	between func()
	// proposeErr and readErr are returned in place of any work.
	proposeErr, readErr error
	// errAfter is proposeErr from the next proposal on.
	errAfter    error
	proposed    func() *storepb.Result // in place of applying a command
	checkErr    error                  // of SelfCheck
	checkStored error                  // of SelfCheck of a version that is in the state
	ready       sync.Map               // version id -> crypto.Cipher or *crypto.PrivateKey
}

func newTestRegion(tb testing.TB, now func() time.Time) *testRegion {
	tb.Helper()
	s, err := store.Open(store.Config{Path: filepath.Join(tb.TempDir(), "state.db")})
	if err != nil {
		tb.Fatalf("open store: %v", err)
	}
	keyring, err := crypto.GenerateKeyring()
	if err != nil {
		tb.Fatalf("generate keyring: %v", err)
	}
	tb.Cleanup(func() {
		keyring.Close()
		if err := s.Close(); err != nil {
			tb.Errorf("close store: %v", err)
		}
	})
	r := &testRegion{store: s, keyring: keyring, now: now}
	result, err := r.Propose(tb.Context(), &storepb.Command{Version: commandVersion, Body: &storepb.Command_InitRegion{InitRegion: &storepb.InitRegion{
		ClusterId: randomID(), DataEpoch: randomID(), Region: testRegionID, Account: testAccount, FeatureLevel: 1,
		Keyrings: []*storepb.WrappedKeyring{{Provider: "test", KeyId: "root", Ciphertext: []byte("wrapped keyring")}},
		Canary:   []byte("canary"),
	}}})
	if err != nil || result.Code != storepb.Code_OK {
		tb.Fatalf("init region: %v, %v", result, err)
	}
	return r
}

func (r *testRegion) TransportKey(v *store.View, version uint32) (*crypto.TransportKey, error) {
	record, err := v.TransportKey(version)
	if err != nil {
		return nil, err
	}
	material, err := r.keyring.Unwrap(transportPlace(record.Version), record.Wrapped)
	if err != nil {
		return nil, err
	}
	return crypto.ParseTransportKey(material)
}

func (r *testRegion) NewTransportKey(expected uint32) (*storepb.AddTransportKey, error) {
	k, err := crypto.GenerateTransportKey()
	if err != nil {
		return nil, err
	}
	material, err := k.Marshal()
	if err != nil {
		return nil, err
	}
	wrapped, err := r.keyring.Wrap(transportPlace(expected+1), material)
	return &storepb.AddTransportKey{Expected: expected, Public: k.Public().Bytes(), Wrapped: wrapped}, err
}

func transportPlace(version uint32) crypto.Binding {
	return crypto.Binding{Region: testRegionID, Purpose: crypto.PurposeTransport, Name: decimal(int64(version))}
}

func randomID() []byte {
	id := make([]byte, 16)
	rand.Read(id)
	return id
}

func (r *testRegion) Applied() uint64 {
	index, _ := r.store.Applied()
	return index
}

func (r *testRegion) ReadWith(_ context.Context, _ cluster.ReadOptions, f func(v *store.View) error) error {
	if r.readErr != nil {
		return r.readErr
	}
	if r.again != nil {
		_ = r.view(f) // too old: its answer and its error do not count
		r.again()
	}
	err := r.view(f)
	if r.between != nil {
		r.between()
	}
	return err
}

func (r *testRegion) view(f func(v *store.View) error) error {
	v, err := r.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	return f(v)
}

func (r *testRegion) Propose(_ context.Context, c *storepb.Command) (*storepb.Result, error) {
	if r.proposeErr != nil {
		return nil, r.proposeErr
	}
	if r.proposed != nil {
		return r.proposed(), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errAfter != nil {
		defer func() { r.proposeErr, r.errAfter = r.errAfter, nil }()
	}
	if len(c.Id) == 0 {
		c.Id = randomID()
	}
	if at := r.now(); at.After(r.stamp) {
		r.stamp = at
	}
	c.StampUnixMs = r.stamp.UnixMilli()
	data, err := proto.Marshal(c)
	if err != nil {
		return nil, err
	}
	r.index++
	results, err := r.store.Apply([]store.Entry{{Index: r.index, Term: 1, Kind: store.Command, Data: data}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

func (r *testRegion) Cipher(v *store.View, k *store.Key, version crypto.VersionID) (crypto.Cipher, error) {
	return ready(r, v, k, version, crypto.NewCipher)
}

func (r *testRegion) PrivateKey(v *store.View, k *store.Key, version crypto.VersionID) (*crypto.PrivateKey, error) {
	return ready(r, v, k, version, crypto.ParsePrivateKey)
}

// ready makes a key version ready to use, once.
func ready[T any](r *testRegion, v *store.View, k *store.Key, version crypto.VersionID, make func(crypto.Algorithm, []byte) (T, error)) (key T, err error) {
	if r.sealed {
		return key, cluster.ErrSealed
	}
	if key, ok := r.ready.Load(version); ok {
		return key.(T), nil
	}
	record, err := v.Version(k.ID, version)
	if err != nil {
		return key, err
	}
	material, err := r.keyring.Unwrap(crypto.MaterialOf(testRegionID, k.ID, version, record.Algorithm), record.Wrapped)
	if err != nil {
		return key, err
	}
	defer material.Wipe()
	if key, err = make(record.Algorithm, material); err == nil {
		r.ready.Store(version, key)
	}
	return key, err
}

func (r *testRegion) binding(id crypto.KeyID, version crypto.VersionID) crypto.Binding {
	return crypto.MaterialOf(testRegionID, id, version, crypto.AlgorithmXAES256GCM)
}

func (r *testRegion) Wrap(b crypto.Binding, material []byte) ([]byte, error) {
	if r.sealed {
		return nil, cluster.ErrSealed
	}
	return r.keyring.Wrap(b, material)
}

func (r *testRegion) Unwrap(b crypto.Binding, wrapped []byte) (crypto.Secret, error) {
	if r.sealed {
		return nil, cluster.ErrSealed
	}
	return r.keyring.Unwrap(b, wrapped)
}

func (r *testRegion) SelfCheck(b crypto.Binding, wrapped []byte) error {
	if r.checkErr != nil {
		return r.checkErr
	}
	stored := r.view(func(v *store.View) error {
		_, err := v.Version(b.KeyID, b.VersionID)
		return err
	})
	if stored == nil && r.checkStored != nil {
		return r.checkStored
	}
	return r.keyring.SelfCheck(b, wrapped)
}

func (r *testRegion) Fingerprint(b crypto.Binding, material []byte) ([]byte, error) {
	return r.keyring.Fingerprint(b, material)
}

func (r *testRegion) SameMaterial(b crypto.Binding, fingerprint, material []byte) (bool, error) {
	return r.keyring.SameMaterial(b, fingerprint, material)
}

// rotate gives a key a new primary version, as the leader does when a rotation is due.
func (r *testRegion) rotate(tb testing.TB, keyID string) {
	tb.Helper()
	id, _ := crypto.ParseKeyID(keyID)
	version := crypto.NewVersionID()
	material := crypto.NewMaterial(crypto.AlgorithmXAES256GCM)
	defer material.Wipe()
	wrapped, err := r.keyring.Wrap(r.binding(id, version), material)
	if err != nil {
		tb.Fatal(err)
	}
	primary := r.key(tb, keyID).PrimaryVersion
	r.mustPropose(tb, &storepb.Command{Version: commandVersion, Body: &storepb.Command_AddKeyVersion{AddKeyVersion: &storepb.AddKeyVersion{
		KeyId: id[:], VersionId: version[:], Wrapped: wrapped, Algorithm: uint32(crypto.AlgorithmXAES256GCM), ExpectedPrimary: primary[:],
	}}})
	r.mustPropose(tb, &storepb.Command{Version: commandVersion, Body: &storepb.Command_SwitchPrimary{SwitchPrimary: &storepb.SwitchPrimary{
		KeyId: id[:], VersionId: version[:],
	}}})
}

// key reads a key from the state.
func (r *testRegion) key(tb testing.TB, keyID string) (k *store.Key) {
	tb.Helper()
	id, _ := crypto.ParseKeyID(keyID)
	err := r.view(func(v *store.View) (err error) {
		k, err = v.Key(id)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func (r *testRegion) mustPropose(tb testing.TB, c *storepb.Command) {
	tb.Helper()
	result, err := r.Propose(tb.Context(), c)
	if err != nil || result.Code != storepb.Code_OK {
		tb.Fatalf("propose: %v, %v", result, err)
	}
}
