package cluster_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// Of two nodes that differ nobody knows which is right.
func TestTwoNodesThatDifferAlarmAndKeepTheirState(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Nodes: 2})
	if err := p.Stop(0); err != nil {
		t.Fatal(err)
	}
	makeDiffer(t, p.path(0, "state.db"))
	if err := p.Start(0); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); p.metric(0, "meridian_state_differs", "") == 0 || p.metric(1, "meridian_state_differs", "") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("no alarm")
		}
	}
	for more := [2]float64{p.metric(0, comparisons, "unsettled") + 3, p.metric(1, comparisons, "unsettled") + 3}; p.metric(0, comparisons, "unsettled") < more[0] || p.metric(1, comparisons, "unsettled") < more[1]; time.Sleep(10 * time.Millisecond) {
		if p.Exited(0) != nil || p.Exited(1) != nil {
			break
		}
	}
	for i := range 2 {
		if err := p.Exited(i); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		if aside, _ := filepath.Glob(p.path(i, "*.differing-*")); aside != nil {
			t.Errorf("node %d set aside %v", i, aside)
		}
	}

	// The operator decides, with the mark that a node in a minority would make.
	if err := p.Stop(0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path(0, "state.differs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.run(0)
	for limit := time.Now().Add(time.Minute); p.metric(0, "meridian_state_differs", "") == 1 || p.metric(1, "meridian_state_differs", "") == 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the alarm goes on")
		}
	}
}

const comparisons = "meridian_state_comparisons_total"

// While entries stream in, nodes still find an index that all of them know.
func TestStatesAreComparedUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) { c.Timing.StateCheck = 50 * time.Millisecond }})
	ctx := within(t, patienceLimit)
	compared := func(outcome string) (n float64) {
		for i := range p.Len() {
			n += p.metric(i, comparisons, outcome)
		}
		return n
	}
	agreed, unsettled := compared("agreed"), compared("unsettled")
	var writers sync.WaitGroup
	for w := range 8 {
		n := p.Node(w % p.Len())
		writers.Go(func() {
			for compared("agreed")-agreed < 60 && ctx.Err() == nil {
				if _, err := clustertest.CreateKey(ctx, n, regionName); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if agreed, unsettled = compared("agreed")-agreed, compared("unsettled")-unsettled; agreed < 60 || unsettled > agreed/3 {
		t.Errorf("%v comparisons agreed, %v found no common index", agreed, unsettled)
	}
	if n := compared("outvoted"); n != 0 {
		t.Errorf("%v outvoted", n)
	}
}
