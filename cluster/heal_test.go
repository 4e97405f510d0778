package cluster_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
)

// abandoned is a snapshot that Raft was writing when it was killed.
const abandoned = "9-999999-1.tmp"

func TestDamagedDataFolderHeals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		source  string // of the rebuilt state; empty: none is needed, or it depends
		differs bool   // that is found once the node runs
		damage  func(t *testing.T, p *patient, i int)
	}{
		{"state deleted", "snapshot", false, func(t *testing.T, p *patient, i int) { remove(t, p.path(i, "state.db")) }},
		{"state empty", "snapshot", false, func(t *testing.T, p *patient, i int) { truncate(t, p.path(i, "state.db"), 0) }},
		{"state cut short", "snapshot", false, func(t *testing.T, p *patient, i int) { truncate(t, p.path(i, "state.db"), 3*4096+100) }},
		{"state is another file", "snapshot", false, func(t *testing.T, p *patient, i int) { copyFile(t, p.path(i, "raft.db"), p.path(i, "state.db")) }},
		{"state and newest snapshot deleted", "", false, func(t *testing.T, p *patient, i int) {
			names := p.snapshots(i)
			remove(t, p.path(i, "state.db"), names[len(names)-1])
		}},
		{"state and all snapshots deleted", "peer", false, func(t *testing.T, p *patient, i int) {
			remove(t, append(p.snapshots(i), p.path(i, "state.db"))...)
		}},
		{"state deleted, snapshots cut short", "peer", false, func(t *testing.T, p *patient, i int) {
			remove(t, p.path(i, "state.db"))
			for _, name := range p.snapshots(i) {
				truncate(t, filepath.Join(name, "state.bin"), 5000)
			}
		}},
		{"state deleted, a bit flipped in each snapshot", "peer", false, func(t *testing.T, p *patient, i int) {
			remove(t, p.path(i, "state.db"))
			for _, name := range p.snapshots(i) {
				flip(t, filepath.Join(name, "state.bin"), 3*4096+77)
			}
		}},
		{"snapshots deleted", "state", false, func(t *testing.T, p *patient, i int) { remove(t, p.snapshots(i)...) }},
		{"snapshots empty", "state", false, func(t *testing.T, p *patient, i int) {
			for _, name := range p.snapshots(i) {
				truncate(t, filepath.Join(name, "state.bin"), 0)
			}
		}},
		{"left over from a crash", "", false, func(t *testing.T, p *patient, i int) {
			for _, name := range []string{"state.db.new", "raft.db.new"} {
				if err := os.WriteFile(p.path(i, name), make([]byte, 10000), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.MkdirAll(p.path(i, "snapshots", abandoned), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		{"state differs", "peer", true, func(t *testing.T, p *patient, i int) { makeDiffer(t, p.path(i, "state.db")) }},
	}
	p := newPatient(t, clustertest.Options{})
	for n, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p.t, p.ended = t, nil
			i := n % p.Len()
			if n%2 == 0 {
				p.Kill(i)
			} else if err := p.Stop(i); err != nil {
				t.Fatal(err)
			}
			test.damage(t, p, i)
			if !test.differs { // else the leader may send a snapshot, and the difference is gone
				p.write(10)
			}
			ended := p.run(i)
			if test.differs {
				for limit := time.Now().Add(time.Minute); ended == nil && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
					ended = p.run(i)
				}
				if !errors.Is(ended, cluster.ErrDiffers) {
					t.Fatalf("ended with %v", ended)
				}
			} else if ended != nil {
				t.Error(ended)
			}
			if p.ended != nil {
				t.Errorf("nodes ended themselves: %v", p.ended)
			}
			for _, source := range []string{"log", "snapshot", "state", "peer"} {
				want := 0.0
				if source == test.source {
					want = 1
				}
				if got := p.metric(i, "meridian_state_rebuilds_total", source); got != want && test.source != "" {
					t.Errorf("rebuilt from %s: %v", source, got)
				}
			}
			if _, err := os.Stat(p.path(i, "snapshots", abandoned)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a snapshot that was not finished is left over: %v", err)
			}
		})
	}
}

// A copy of the state from earlier is brought up to date, whether the snapshot
// has passed it or not.
func TestOlderStateHeals(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{Configure: shortLogs})
	const i = 2
	if err := p.Stop(i); err != nil {
		t.Fatal(err)
	}
	copyFile(t, p.path(i, "state.db"), p.path(i, "copy"))
	for _, keys := range []int{2, 80} {
		p.run(i)
		p.write(keys)
		p.run(i)
		if err := p.Stop(i); err != nil {
			t.Fatal(err)
		}
		copyFile(t, p.path(i, "copy"), p.path(i, "state.db"))
	}
	p.run(i)
}

// A flipped bit is found when it is read, or by the check after a crash; then the
// state is rebuilt.
func TestFlippedBitsHeal(t *testing.T) {
	t.Parallel()
	p := newPatient(t, clustertest.Options{})
	for round := range 6 {
		i := round % p.Len()
		p.Kill(i)
		info, err := os.Stat(p.path(i, "state.db"))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			flip(t, p.path(i, "state.db"), rand.Int64N(info.Size()))
		}
		p.write(2)
		p.run(i) // the check may end it once more, then it is started again
	}
	for i := range p.Len() {
		p.run(i)
	}
}
