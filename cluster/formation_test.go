package cluster_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

func TestFormingNodeSaysWhomItWaitsFor(t *testing.T) {
	var mu sync.Mutex
	var phases []string
	r := clustertest.Prepare(t, clustertest.Options{Configure: func(i int, c *cluster.Config) {
		if i == 0 {
			c.Phase = func(phase string) {
				mu.Lock()
				defer mu.Unlock()
				phases = append(phases, phase)
			}
		}
	}})
	must(t, r.Start(0))
	must(t, r.Start(1))
	waitFor(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(phases, "forming: waits for n3 (connection refused)")
	})
	must(t, r.Start(2))
	r.WaitReady()
	mu.Lock()
	defer mu.Unlock()
	if last := phases[len(phases)-1]; last != "" {
		t.Errorf("once formed the phase is %q", last)
	}
}

func TestFormedRegionTurnsAStrangerAway(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	c := r.Stranger("n4")
	_, err := cluster.Open(within(t, 30*time.Second), c)
	if !errors.Is(err, cluster.ErrNotMember) || !strings.Contains(err.Error(), "already formed, n4 is not a member") {
		t.Fatalf("error %v, want ErrNotMember", err)
	}
}

func TestFolderInUseIsNamed(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Nodes: 1})
	_, err := cluster.Open(context.Background(), r.Config(0))
	if !errors.Is(err, cluster.ErrInUse) || !strings.Contains(err.Error(), filepath.Join(r.Dir(0), "raft.db")) {
		t.Fatalf("error %v, want ErrInUse", err)
	}
}
