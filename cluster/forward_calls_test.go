package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
	"meridian/store/storepb"
)

// Each command of a call has its own outcome: what is wrong with one does not
// touch those beside it.
func TestCommandsOfOneCallAreJudgedEach(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	n := r.Node(r.Follower())
	key, err := clustertest.CreateKey(within(t, time.Minute), n, regionName)
	must(t, err)
	describe := func(origin string) *storepb.Command {
		id := crypto.NewKeyID() // as good as any 16 bytes
		return &storepb.Command{
			Id: id[:], Version: store.CommandVersion, Origin: &storepb.Origin{Node: origin, Principal: "test"},
			Body: &storepb.Command_UpdateKeyDescription{UpdateKeyDescription: &storepb.UpdateKeyDescription{KeyId: key[:], Description: "described"}},
		}
	}
	self := n.Status().NodeID
	got, err := n.Forward(describe(self), describe("another"), &storepb.Command{}, describe(self))
	must(t, err)
	if want := []string{"OUTCOME_DECIDED", "OUTCOME_REFUSED", "OUTCOME_REFUSED", "OUTCOME_DECIDED"}; !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// More writes at once than a call takes, through a follower: each is decided, and
// by its own result.
func TestManyWritesThroughAFollower(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	n := r.Node(r.Follower())
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, n, regionName)
	must(t, err)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			name := fmt.Sprintf("alias/many-%d", i%250)
			result, err := n.Propose(ctx, &storepb.Command{Body: &storepb.Command_CreateAlias{CreateAlias: &storepb.CreateAlias{Name: name, KeyId: key[:]}}})
			switch {
			case err != nil:
				t.Error(err)
			case i < 50 || i >= 250: // two ask for the same
			case result.Code != storepb.Code_OK:
				t.Errorf("%s: %v", name, result.Code)
			}
		})
	}
	wg.Wait()
	must(t, n.Read(ctx, func(v *store.View) error {
		for i := range 250 {
			if got, err := v.Alias(fmt.Sprintf("alias/many-%d", i)); err != nil || got != key {
				return fmt.Errorf("alias %d: %v, %w", i, got, err)
			}
		}
		return nil
	}))
}
