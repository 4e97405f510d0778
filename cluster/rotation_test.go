package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

const week = 7 * 24 * time.Hour

// sealed is what a node made under the primary version of a key.
type sealed struct {
	version crypto.VersionID
	data    []byte
}

var sealedText, sealedFor = []byte("text"), []byte("aad")

// sealOn has a node seal under the primary version, as a request would. It also
// tells how many versions the node's state has.
func sealOn(ctx context.Context, n *cluster.Node, key crypto.KeyID) (s sealed, versions int, err error) {
	err = n.Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err != nil {
			return err
		}
		x, err := n.Cipher(v, k, k.PrimaryVersion)
		if err != nil {
			return err
		}
		s, versions = sealed{k.PrimaryVersion, x.Seal(nil, sealedText, sealedFor)}, k.Versions
		return nil
	})
	return s, versions, err
}

// openOn has a node open it.
func openOn(ctx context.Context, n *cluster.Node, key crypto.KeyID, s sealed) error {
	return n.Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err != nil {
			return err
		}
		x, err := n.Cipher(v, k, s.version)
		if err != nil {
			return err
		}
		text, err := x.Open(nil, s.data, sealedFor)
		if err == nil && !bytes.Equal(text, sealedText) {
			return errors.New("another text")
		}
		return err
	})
}

// primaryOn returns the primary version of a key as a node has it.
func primaryOn(ctx context.Context, n *cluster.Node, key crypto.KeyID) (version crypto.VersionID, err error) {
	err = n.Read(ctx, func(v *store.View) error {
		k, err := v.Key(key)
		if err == nil {
			version = k.PrimaryVersion
		}
		return err
	})
	return version, err
}

// While a node has not applied a rotation yet, and may answer still, no other one
// seals what it could not open.
func TestNoNodeRefusesWhatAnotherSealedDuringARotation(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		calm(c)
		// The node that lags may answer until its next renewal tells it that it does.
		c.Timing.Lease, c.Timing.LeaseRenewal = 6*time.Second, 1400*time.Millisecond
		c.Disk.StallLimit = time.Minute
	}})
	ctx := within(t, 2*time.Minute)
	key, err := clustertest.CreateKeyWith(ctx, r.Node(0), regionName, &storepb.CreateKey{
		Algorithm: uint32(crypto.AlgorithmXAES256GCM), RotationIntervalMs: (2 * time.Second).Milliseconds(),
	})
	must(t, err)
	rotateBehind(ctx, t, r, key, func(*cluster.Node) {}) // the leader begins
}

// A rotation that was left behind may not have reached every node either when the
// leader finds it.
func TestLeaderFinishesARotationThatEveryNodeHas(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		calm(c)
		c.Timing.Lease, c.Timing.LeaseRenewal = 6500*time.Millisecond, 1700*time.Millisecond
		c.Disk.StallLimit = time.Minute
		c.Timing.Hold, c.Timing.Jobs = 600*time.Millisecond, 50*time.Millisecond
	}})
	ctx := within(t, 2*time.Minute)
	var key crypto.KeyID
	waitFor(t, func() (made bool) { // writes are not held for long here
		var err error
		key, err = clustertest.CreateKey(ctx, r.Node(0), regionName)
		return err == nil
	})
	rotateBehind(ctx, t, r, key, func(n *cluster.Node) {
		// It cannot be acknowledged in time while a node does not have it.
		if _, err := addVersion(ctx, n, key); err != nil {
			t.Logf("a version was added: %v", err)
		}
	})
}

// rotateBehind has a rotation take place while one node does not apply anything,
// and has that node open whatever the others seal, until it did so once the others
// had the new version.
func rotateBehind(ctx context.Context, t *testing.T, r *clustertest.Region, key crypto.KeyID, begin func(*cluster.Node)) {
	t.Helper()
	for range 10 {
		if lagBehind(ctx, t, r, key, begin) > 0 {
			return
		}
		r.WaitReady()
	}
	t.Error("the node that lags never answered while a rotation was under way: the test shows nothing")
}

func lagBehind(ctx context.Context, t *testing.T, r *clustertest.Region, key crypto.KeyID, begin func(*cluster.Node)) (behind int) {
	lagging := r.Follower()
	others := slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == lagging })
	release := r.Node(lagging).HangApply()
	defer func() { release() }()
	first, had, err := sealOn(ctx, r.Node(others[0]), key)
	if err != nil {
		t.Logf("another try: %v", err) // the node that lags came to lead, perhaps
		return 0
	}
	var beginning sync.WaitGroup
	beginning.Go(func() { begin(r.Node(others[0])) })
	defer beginning.Wait()
	last := first
	for last.version == first.version {
		if ctx.Err() != nil {
			t.Fatal("no rotation came to its end")
		}
		for _, i := range others {
			s, has, err := sealOn(ctx, r.Node(i), key)
			if err != nil {
				t.Logf("another try: %v", err)
				return 0
			}
			look, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			err = openOn(look, r.Node(lagging), key, s)
			cancel()
			switch {
			case err == nil && has > had:
				behind++
			case err != nil && !errors.Is(err, cluster.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded): // of the look
				t.Fatalf("node %d cannot open what node %d sealed under version %s: %v", lagging, i, s.version, err)
			}
			last = s
			if last.version != first.version {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	release()
	release = func() {}
	for _, s := range []sealed{first, last} {
		for i := range r.Len() {
			waitFor(t, func() bool { return openOn(ctx, r.Node(i), key, s) == nil })
		}
	}
	return behind
}

// addVersion does the first half of a rotation on a node.
func addVersion(ctx context.Context, n *cluster.Node, key crypto.KeyID) (crypto.VersionID, error) {
	primary, err := primaryOn(ctx, n, key)
	if err != nil {
		return primary, err
	}
	place := crypto.MaterialOf(regionName, key, crypto.NewVersionID(), crypto.AlgorithmXAES256GCM)
	wrapped, err := clustertest.NewVersion(n, place)
	if err != nil {
		return primary, err
	}
	return place.VersionID, clustertest.Decide(n.Propose(ctx, clustertest.AddVersion(place, wrapped, primary)))
}

// A node that added a version and never came back leaves it to the leader, who
// gives it the time that a write may take.
func TestLeaderFinishesARotation(t *testing.T) {
	const hold = 1500 * time.Millisecond
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		calm(c)
		c.Timing.Hold = hold
	}})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	disabled, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	started := time.Now()
	version, err := addVersion(ctx, r.Node(r.Follower()), key)
	must(t, err)
	other, err := addVersion(ctx, r.Node(r.Follower()), disabled)
	must(t, err)
	must(t, clustertest.Decide(r.Node(0).Propose(ctx, clustertest.Disable(disabled))))
	for i := range r.Len() {
		waitFor(t, func() bool {
			now, err := primaryOn(ctx, r.Node(i), key)
			return err == nil && now == version
		})
		if took := time.Since(started); took < hold {
			t.Errorf("the leader did not wait for the node that began: %v", took)
		}
		waitFor(t, func() bool { // whatever the state of its key
			now, err := primaryOn(ctx, r.Node(i), disabled)
			return err == nil && now == other
		})
	}
}

// So does a leader that finds it as it comes to lead.
func TestNextLeaderFinishesARotation(t *testing.T) {
	const hold = 4 * time.Second
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		calm(c) // each leader waits anew
		c.Timing.Hold = hold
	}})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	leader := r.Leader()
	started := time.Now()
	version, err := addVersion(ctx, r.Node(leader), key)
	must(t, err)
	r.Kill(leader)
	if time.Since(started) >= hold {
		t.Fatal("this took so long that the first leader may have finished it")
	}
	for i := range r.Len() {
		if i == leader {
			continue
		}
		waitFor(t, func() bool {
			now, err := primaryOn(ctx, r.Node(i), key)
			return err == nil && now == version
		})
	}
}

// Keys of every symmetric spec are rotated, each to material of its own kind.
func TestRotationKeepsTheAlgorithm(t *testing.T) {
	var clock shiftedClock
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) { c.Now = clock.now }})
	ctx := within(t, time.Minute)
	n := r.Node(0)
	specs := map[string]crypto.Algorithm{"Aliyun_AES_256": crypto.AlgorithmXAES256GCM, "Aliyun_SM4": crypto.AlgorithmXSM4GCM}
	keys := make(map[crypto.KeyID]sealed)
	for spec, algorithm := range specs {
		key, err := clustertest.CreateKeyWith(ctx, n, regionName, &storepb.CreateKey{
			Spec: spec, Algorithm: uint32(algorithm), RotationIntervalMs: week.Milliseconds(),
		})
		must(t, err)
		s, _, err := sealOn(ctx, n, key)
		must(t, err)
		keys[key] = s
	}
	clock.offset.Store(int64(week + time.Hour))
	for key, old := range keys {
		waitFor(t, func() bool {
			s, versions, err := sealOn(ctx, n, key)
			return err == nil && versions == 2 && s.version != old.version && openOn(ctx, n, key, s) == nil
		})
		must(t, openOn(ctx, n, key, old))
		must(t, n.Read(ctx, func(v *store.View) error {
			versions, err := v.Versions(key)
			if err == nil && versions[0].Algorithm != versions[1].Algorithm {
				err = fmt.Errorf("versions of %v and %v", versions[0].Algorithm, versions[1].Algorithm)
			}
			return err
		}))
	}
}

// Keys that wait for the second half of a rotation, more than are looked at in one go,
// keep no other from its own.
func TestRotationGoesPastKeysThatWait(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		calm(c)
		c.Timing.Hold, c.Timing.Jobs = time.Hour, 50*time.Millisecond
	}})
	ctx, n := within(t, time.Minute), r.Node(0)
	create := func() crypto.KeyID { // due soon, but not before a version of it can be added
		key, err := clustertest.CreateKeyWith(ctx, n, regionName, &storepb.CreateKey{
			Algorithm: uint32(crypto.AlgorithmXAES256GCM), RotationIntervalMs: (4 * time.Second).Milliseconds(),
		})
		must(t, err)
		return key
	}
	for range cluster.JobBatch + 1 {
		_, err := addVersion(ctx, n, create())
		must(t, err)
	}
	key := create()
	first, err := primaryOn(ctx, n, key)
	must(t, err)
	waitFor(t, func() bool {
		now, err := primaryOn(ctx, n, key)
		must(t, err)
		return now != first
	})
}
