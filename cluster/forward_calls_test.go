package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
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
	unfit := describe(self)
	unfit.Id = unfit.Id[1:]
	got, err := n.Forward(describe(self), describe("another"), unfit, &storepb.Command{}, describe(self))
	must(t, err)
	if want := []string{"OUTCOME_DECIDED", "OUTCOME_REFUSED", "OUTCOME_REFUSED", "OUTCOME_REFUSED", "OUTCOME_DECIDED"}; !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	// Fields that come twice are one after decoding, but the log takes the bytes.
	const most = 256 << 10
	for padded, want := range map[int]string{most: "OUTCOME_DECIDED", most + 1: "OUTCOME_REFUSED"} {
		if got, err := n.ForwardPadded(describe(self), padded); err != nil || got != want {
			t.Errorf("a command of %d bytes: %s, %v; want %s", padded, got, err, want)
		}
	}
}

// Results are larger than the commands that they answer: a call with as many as fit,
// each with the longest description, is answered whole.
func TestTheLargestAnswerOfACallArrives(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	n := r.Node(r.Follower())
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, n, regionName)
	must(t, err)
	must(t, clustertest.Decide(n.Propose(ctx, clustertest.Describe(key, strings.Repeat("\U0001f511", 8192)))))
	var commands []*storepb.Command
	for range 64 {
		c, id := clustertest.Enable(key), crypto.NewKeyID()
		c.Id, c.Version, c.Origin = id[:], store.CommandVersion, &storepb.Origin{Node: n.Status().NodeID, Principal: "test"}
		commands = append(commands, c)
	}
	got, err := n.Forward(commands...)
	must(t, err)
	for _, outcome := range got {
		if outcome != "OUTCOME_DECIDED" {
			t.Fatalf("outcomes %v", got)
		}
	}
}

// A write that left for a leader that dies with it is not one that was never begun.
func TestForwardedWriteToALeaderThatDiesIsUnknown(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.Hold = 4 * time.Second }})
	taker := r.Follower()
	leader, follower := r.Node(r.Leader()), r.Node(taker)
	waitFor(t, func() bool { return leader.Pending() == 0 })
	release := leader.HangDisk()
	done := make(chan error, 1)
	go func() {
		_, err := clustertest.CreateKey(t.Context(), follower, regionName)
		done <- err
	}()
	waitFor(t, func() bool { return leader.Pending() > 0 })
	free := time.AfterFunc(100*time.Millisecond, release) // or it could not be stopped
	defer free.Stop()
	for i := range r.Len() {
		if i != taker {
			r.Kill(i)
		}
	}
	if err := <-done; !errors.Is(err, cluster.ErrOutcomeUnknown) {
		t.Errorf("%v, want an unknown outcome", err)
	}
}

// Writes that wait behind others at a leader that hangs were never begun, and the
// callers of another node are told so: not one that the outcome is unknown, unless
// the machine is so slow that the leader's word came too late.
func TestForwardedWritesBehindAHungLeaderAreNotBegun(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.Hold = time.Second }})
	leader, follower := r.Node(r.Leader()), r.Node(r.Follower())
	waitFor(t, func() bool { return leader.Pending() == 0 })
	release := leader.HangDisk()
	defer release()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _, _ = clustertest.CreateKey(t.Context(), leader, regionName) })
	waitFor(t, func() bool { return leader.Pending() > 0 })
	const writes = 20
	ends := make(chan error, writes)
	for range writes {
		wg.Go(func() {
			_, err := clustertest.CreateKey(t.Context(), follower, regionName)
			ends <- err
		})
	}
	definite := 0
	for range writes {
		switch err := <-ends; {
		case errors.Is(err, cluster.ErrOutcomeUnknown):
		case errors.Is(err, cluster.ErrUnavailable):
			definite++
		default:
			t.Errorf("%v, want ErrUnavailable", err)
		}
	}
	if definite < writes/2 {
		t.Errorf("%d of %d have a definite outcome", definite, writes)
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
	leader := r.Node(r.Leader())
	waitFor(t, func() bool { return leader.Pending() == 0 && leader.Waiting() == 0 })
	must(t, n.Read(ctx, func(v *store.View) error {
		for i := range 250 {
			if got, err := v.Alias(fmt.Sprintf("alias/many-%d", i)); err != nil || got != key {
				return fmt.Errorf("alias %d: %v, %w", i, got, err)
			}
		}
		return nil
	}))
}
