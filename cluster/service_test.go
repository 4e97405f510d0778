package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/crypto/seal"
	"meridian/store"
	"meridian/store/storepb"
)

func TestCipherOpensOnEveryNode(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 30*time.Second)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	use := func(i int, f func(x crypto.Cipher) error) error {
		return r.Node(i).Read(ctx, func(v *store.View) error {
			k, err := v.Key(key)
			if err != nil {
				return err
			}
			x, err := r.Node(i).Cipher(v, k, k.PrimaryVersion)
			if err != nil {
				return err
			}
			return f(x)
		})
	}
	var sealed []byte
	must(t, use(0, func(x crypto.Cipher) error { sealed = x.Seal(nil, []byte("text"), []byte("aad")); return nil }))
	for i := range r.Len() {
		must(t, use(i, func(x crypto.Cipher) error {
			text, err := x.Open(nil, sealed, []byte("aad"))
			if err == nil && !bytes.Equal(text, []byte("text")) {
				return errors.New("other text")
			}
			return err
		}))
	}
	// A version that the key does not have is not found, ready or not.
	must(t, r.Node(0).Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err != nil {
			return err
		}
		if _, err := r.Node(0).Cipher(v, k, crypto.NewVersionID()); !errors.Is(err, store.ErrVersionNotFound) {
			t.Errorf("unknown version: %v", err)
		}
		return nil
	}))
}

// otherRoot is a provider with a root key that did not make the region.
func otherRoot(t *testing.T) seal.Provider {
	path := filepath.Join(t.TempDir(), "other.key")
	must(t, seal.GenerateFile(path))
	p, err := seal.OpenFile(path)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestSealedNodeReplicatesButRefusesCrypto(t *testing.T) {
	wrong := otherRoot(t)
	var use atomic.Bool
	r := clustertest.New(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		if i == 2 && use.Load() {
			c.Seal = wrong
		}
	}})
	ctx := within(t, 30*time.Second)
	use.Store(true)
	r.Kill(2)
	must(t, r.Start(2))
	n := r.Node(2)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	must(t, n.Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err != nil {
			return err
		}
		if _, err := n.Cipher(v, k, k.PrimaryVersion); !errors.Is(err, cluster.ErrSealed) {
			t.Errorf("cipher: %v, want ErrSealed", err)
		}
		return nil
	}))
	for name, call := range map[string]func() error{
		"wrap":          func() error { _, err := n.Wrap(crypto.Binding{}, nil); return err },
		"unwrap":        func() error { _, err := n.Unwrap(crypto.Binding{}, nil); return err },
		"self-check":    func() error { return n.SelfCheck(crypto.Binding{}, nil) },
		"fingerprint":   func() error { _, err := n.Fingerprint(crypto.Binding{}, nil); return err },
		"same material": func() error { _, err := n.SameMaterial(crypto.Binding{}, nil, nil); return err },
		"private key":   func() error { _, err := n.PrivateKey(nil, nil, crypto.VersionID{}); return err },
	} {
		if err := call(); !errors.Is(err, cluster.ErrSealed) {
			t.Errorf("%s: %v, want ErrSealed", name, err)
		}
	}
	waitFor(t, func() bool { return n.Status().SealError != "" })
	if err := n.Ready(ctx); !errors.Is(err, cluster.ErrSealed) || !strings.Contains(err.Error(), "root key") {
		t.Errorf("ready: %v, want ErrSealed and why", err)
	}
	if !n.Status().Sealed {
		t.Error("status does not say sealed")
	}
}

// shiftedClock is a wall clock that tests move.
type shiftedClock struct{ offset atomic.Int64 }

func (c *shiftedClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func TestDueKeysAreDestroyedWhenClocksAgree(t *testing.T) {
	clocks := make([]shiftedClock, 3)
	r := clustertest.New(t, clustertest.Options{Configure: func(i int, c *cluster.Config) { c.Now = clocks[i].now }})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	must(t, clustertest.Decide(r.Node(1).Propose(ctx, &storepb.Command{Body: &storepb.Command_ScheduleKeyDeletion{
		ScheduleKeyDeletion: &storepb.ScheduleKeyDeletion{KeyId: key[:], Days: 7},
	}})))
	const jump = int64(8 * 24 * time.Hour)
	leader := r.Leader()
	clocks[leader].offset.Store(jump)
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if state, err := stateOf(ctx, r, leader, key); err != nil || state != store.PendingDeletion {
			t.Fatalf("the leader's clock alone destroyed a key: %v, %v", state, err)
		}
	}
	for i := range clocks {
		clocks[i].offset.Store(jump)
	}
	for i := range r.Len() { // no caller was told, so one node may show it before another
		waitFor(t, func() bool {
			_, err := stateOf(ctx, r, i, key)
			return errors.Is(err, store.ErrKeyNotFound)
		})
	}
}

func TestDueRotationMakesANewPrimaryVersion(t *testing.T) {
	clocks := make([]shiftedClock, 3)
	r := clustertest.New(t, clustertest.Options{Configure: func(i int, c *cluster.Config) { c.Now = clocks[i].now }})
	ctx := within(t, time.Minute)
	n := r.Node(0)
	id, version := crypto.NewKeyID(), crypto.NewVersionID()
	wrapped, err := n.Wrap(crypto.MaterialOf(regionName, id, version, crypto.AlgorithmXAES256GCM), crypto.NewMaterial(crypto.AlgorithmXAES256GCM))
	must(t, err)
	must(t, clustertest.Decide(n.Propose(ctx, &storepb.Command{Body: &storepb.Command_CreateKey{CreateKey: &storepb.CreateKey{
		KeyId: id[:], VersionId: version[:], Algorithm: uint32(crypto.AlgorithmXAES256GCM), Wrapped: wrapped, Creator: clustertest.Account,
		RotationIntervalMs: (7 * 24 * time.Hour).Milliseconds(),
	}}})))
	for i := range clocks {
		clocks[i].offset.Store(int64(8 * 24 * time.Hour))
	}
	for i := range r.Len() {
		waitFor(t, func() bool {
			rotated := false
			_ = r.Node(i).Read(ctx, func(v *store.View) error {
				k, err := v.Key(id)
				if err != nil {
					return err
				}
				if rotated = k.Versions == 2 && k.PrimaryVersion != version; !rotated {
					return nil
				}
				for _, version := range []crypto.VersionID{version, k.PrimaryVersion} {
					if _, err := r.Node(i).Cipher(v, k, version); err != nil {
						t.Errorf("node %d, version %s: %v", i, version, err)
					}
				}
				return nil
			})
			return rotated
		})
	}
}

func TestStatusAndMembers(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 30*time.Second)
	leader := r.Leader()
	dead := r.Follower()
	asker := r.Node(3 - leader - dead)
	r.Kill(dead)
	members, err := asker.Members(ctx)
	must(t, err)
	if len(members) != 3 {
		t.Fatalf("%d members", len(members))
	}
	leaders := 0
	for _, m := range members {
		if (m.Error != "") != (m.Status == nil) {
			t.Errorf("member %s: error %q, status %v", m.ID, m.Error, m.Status)
		}
		if m.Status == nil {
			continue
		}
		if m.Status.NodeID != m.ID || m.Status.Region != regionName || !m.Status.Healthy || m.Status.Sealed || len(m.Status.Peers) != 3 || m.Status.ClusterID == "" {
			t.Errorf("member %s: %+v", m.ID, m.Status)
		}
		if m.Status.Role == "leader" {
			leaders++
		}
	}
	if members[dead].Error == "" {
		t.Error("a dead member shows no error")
	}
	if leaders != 1 {
		t.Errorf("%d leaders", leaders)
	}
	data, err := json.Marshal(members)
	if err != nil || !strings.Contains(string(data), `"role":"leader"`) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestOrderlyStopHandsLeadershipOver(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		c.Timing.Heartbeat, c.Timing.LeaderLease = 3*time.Second, time.Second // an election would be noticed
	}})
	ctx := within(t, 30*time.Second)
	leader, follower := r.Leader(), r.Follower()
	key, err := clustertest.CreateKey(ctx, r.Node(leader), regionName)
	must(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(leader) }()
	waitFor(t, func() bool {
		id := r.Node(follower).Status().LeaderID
		return id != "" && id != r.Config(leader).NodeID
	})
	started := time.Now()
	must(t, clustertest.Decide(r.Node(follower).Propose(ctx, clustertest.Disable(key))))
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("write after the hand-over took %v", took)
	}
	must(t, <-stopped)
	if len(snapshotsIn(t, r.Dir(leader))) == 0 {
		t.Error("no snapshot at an orderly stop")
	}
	if _, err := os.Stat(filepath.Join(r.Dir(leader), "running")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an orderly stop counts as a crash: %v", err)
	}
}

func TestMetricsShowTheNodeAndRaft(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) { c.Metrics = registry }})
	ctx := within(t, 30*time.Second)
	_, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	values := gather(t, registry)
	// raft_apply vanishes silently when Raft's metrics go to another sink.
	for _, name := range []string{"raft_apply", "raft_commitTime", "raft_fsm_applyBatch", "meridian_cluster_write_seconds", "meridian_cluster_storage_seconds"} {
		if _, ok := values[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for name, want := range map[string]float64{"meridian_raft_is_leader": 1, "meridian_cluster_sealed": 0, "meridian_cluster_healthy": 1} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	r.Kill(0) // takes its figures away, so that the next start can bring them
	must(t, r.Start(0))
	r.WaitReady()
}

func gather(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	must(t, err)
	values := make(map[string]float64)
	for _, f := range families {
		m := f.GetMetric()[0]
		values[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() // one of them, or another kind
	}
	return values
}

func TestStoppedNodeRefuses(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1})
	n := r.Node(0)
	must(t, r.Stop(0))
	ctx := context.Background()
	if err := n.Read(ctx, func(*store.View) error { return nil }); !errors.Is(err, cluster.ErrStopped) {
		t.Errorf("read: %v", err)
	}
	if _, err := n.Propose(ctx, clustertest.Disable(crypto.NewKeyID())); !errors.Is(err, cluster.ErrStopped) {
		t.Errorf("write: %v", err)
	}
	if err := n.Ready(ctx); !errors.Is(err, cluster.ErrStopped) {
		t.Errorf("ready: %v", err)
	}
	if s := n.Status(); s.Role != "stopped" {
		t.Errorf("role %q", s.Role)
	}
	must(t, n.Shutdown(ctx)) // once more does nothing
}

// Material of a key that goes out of use, or is destroyed, leaves the memory of
// every node.
func TestMaterialLeavesMemoryWithItsKey(t *testing.T) {
	var clock shiftedClock
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Now = clock.now }})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	// What the state of the key allows is for the view to say, so this brings
	// material of a key that is out of use back to memory.
	use := func() {
		t.Helper()
		for i := range r.Len() {
			must(t, r.Node(i).Read(ctx, func(v *store.View) error {
				k, err := v.Key(key)
				if err != nil {
					return err
				}
				_, err = r.Node(i).Cipher(v, k, k.PrimaryVersion)
				return err
			}))
			if !r.Node(i).IsReady(key) {
				t.Fatalf("node %d does not keep what was used", i)
			}
		}
	}
	gone := func() {
		t.Helper()
		for i := range r.Len() {
			waitFor(t, func() bool { return !r.Node(i).IsReady(key) })
		}
	}
	use()
	must(t, clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Disable(key))))
	gone()
	use()
	must(t, clustertest.Decide(r.Node(0).Propose(ctx, schedule(key))))
	gone()
	use()
	clock.offset.Store(int64(8 * 24 * time.Hour))
	for i := range r.Len() {
		waitFor(t, func() bool {
			_, err := stateOf(ctx, r, i, key)
			return errors.Is(err, store.ErrKeyNotFound)
		})
	}
	gone()
}
