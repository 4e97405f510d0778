package cluster

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"meridian/store/storepb"
)

// What arrives while a group is under way goes together with the next one, in its
// order; a write alone goes at once.
func TestWritesGoInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var groups [][]string
		answered := make(chan bool)
		g := gatherer{give: func(group []*proposal) {
			var names []string
			for _, p := range group {
				names = append(names, string(p.command))
			}
			groups = append(groups, names)
			<-answered
		}}
		add := func(names ...string) {
			for _, name := range names {
				g.add(newProposal([]byte(name), time.Now()))
			}
			synctest.Wait()
		}
		add("1")
		add("2", "3", "4")
		answered <- true
		synctest.Wait()
		add("5")
		answered <- true
		answered <- true
		synctest.Wait()
		add("6") // nothing is under way any more
		answered <- true
		want := [][]string{{"1"}, {"2", "3", "4"}, {"5"}, {"6"}}
		if !slices.EqualFunc(groups, want, slices.Equal[[]string]) {
			t.Errorf("groups %v, want %v", groups, want)
		}
	})
}

// While Raft takes nothing, on a disk that hangs, the waits for a turn end with
// their callers, who know then that nothing was begun. One whose turn has come does
// not know.
func TestAWriteIsTakenBackUntilItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node, stop := context.WithCancel(t.Context())
		stuck := make(chan bool)
		g := gatherer{give: func(group []*proposal) {
			for _, p := range group {
				p.taken.Store(true)
			}
			<-stuck
		}}
		ends := func(ctx context.Context) (*proposal, chan attempt) {
			p, out := newProposal(nil, time.Now()), make(chan attempt, 1)
			g.add(p)
			go func() { out <- p.wait(ctx, node) }()
			synctest.Wait()
			return p, out
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, first := ends(ctx)
		waiting, second := ends(ctx)
		_, third := ends(t.Context())
		if a := <-first; a.outcome != unknown || !errors.Is(a.reason, context.DeadlineExceeded) {
			t.Errorf("taken by Raft: %v, %v", a.outcome, a.reason)
		}
		if a := <-second; a.outcome != notLeader || !errors.Is(a.reason, context.DeadlineExceeded) || !waiting.taken.Load() {
			t.Errorf("not taken by Raft: %v, %v", a.outcome, a.reason)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("waited for %v", took)
		}
		stop()
		if a := <-third; a.outcome != notLeader || !errors.Is(a.reason, ErrStopped) {
			t.Errorf("at a stop: %v, %v", a.outcome, a.reason)
		}
		close(stuck)
	})
}

// The stamp is the leader's, whatever the node that made the command says, and
// stamping leaves the bytes alone: they may be under way a second time.
func TestStampedCommands(t *testing.T) {
	command, err := proto.Marshal(&storepb.Command{Id: []byte("id"), StampUnixMs: 7, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(command)
	const stamp = 1_790_000_000_123
	var got storepb.Command
	if err := proto.Unmarshal(stamped(command, stamp), &got); err != nil {
		t.Fatal(err)
	}
	if want := (&storepb.Command{Id: []byte("id"), StampUnixMs: stamp, Version: 1}); !proto.Equal(&got, want) {
		t.Errorf("got %v, want %v", &got, want)
	}
	if !slices.Equal(command, before) {
		t.Error("stamping changed the command")
	}
}
