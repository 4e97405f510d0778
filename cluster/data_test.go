package cluster_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"meridian/cluster"
	"meridian/cluster/clustertest"
	"meridian/crypto"
	"meridian/store"
)

func TestWipedNodeIsRefused(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	wiped := r.Follower()
	r.Kill(wiped)
	r.Wipe(wiped)
	if err := r.Start(wiped); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.Exited(wiped) != nil })
	if err := r.Exited(wiped); !errors.Is(err, cluster.ErrReplaced) {
		t.Fatalf("error %v, want ErrReplaced", err)
	}
	// One other voter is enough to know, whichever it is.
	for i := range r.Len() {
		if i == wiped {
			continue
		}
		r.Kill(i)
		r.Wipe(wiped)
		if err := r.Start(wiped); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return r.Exited(wiped) != nil })
		if err := r.Exited(wiped); !errors.Is(err, cluster.ErrReplaced) {
			t.Fatalf("without node %d: error %v, want ErrReplaced", i, err)
		}
		if err := r.Start(i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRegionFormsOnlyWhenAllVotersAreThere(t *testing.T) {
	r := clustertest.Prepare(t, clustertest.Options{})
	for i := range 2 {
		if err := r.Start(i); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	if r.Node(0) != nil || r.Node(1) != nil {
		t.Fatal("two of three voters formed the region")
	}
	if err := r.Start(2); err != nil {
		t.Fatal(err)
	}
	r.WaitReady()
}

func TestLostOrDamagedStateIsRebuilt(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, state string){
		"removed": func(t *testing.T, state string) { must(t, os.Remove(state)) },
		"no database at all": func(t *testing.T, state string) {
			must(t, os.WriteFile(state, []byte(strings.Repeat("nothing of the kind", 1000)), 0o600))
		},
		"emptied": func(t *testing.T, state string) { must(t, os.Truncate(state, 0)) },
		"marked as damaged": func(t *testing.T, state string) {
			must(t, os.WriteFile(filepath.Join(filepath.Dir(state), "state.damaged"), nil, 0o600))
		},
	} {
		for _, snapshot := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", from the log", true: ", from a snapshot"}[snapshot], func(t *testing.T) {
				r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
					c.Timing.TrailingLogs = 4
				}})
				ctx := within(t, 30*time.Second)
				var keys []crypto.KeyID
				create := func(count int) {
					for range count {
						key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
						must(t, err)
						keys = append(keys, key)
					}
				}
				create(20)
				if snapshot {
					must(t, r.Stop(0)) // makes one, and trims the log
					must(t, r.Start(0))
					r.WaitReady()
					create(10)
				}
				r.Kill(0)
				spoil(t, filepath.Join(r.Dir(0), "state.db"))
				must(t, r.Start(0))
				r.WaitReady()
				for _, key := range keys {
					if state, err := stateOf(ctx, r, 0, key); err != nil || state != store.Enabled {
						t.Fatalf("key %s: %v, %v", key, state, err)
					}
				}
				if err := r.Exited(0); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A page that leads back to itself ends the process that reads it, without an
// error that could be noted. The next start reads all of the state before anything
// else; the one after it, if that ended as well, does without.
func TestStateThatEndsItsReadersIsSetAside(t *testing.T) {
	var mark atomic.Pointer[string]
	var longest atomic.Int64 // the mark, whenever the node looked at the disk
	r := clustertest.New(t, clustertest.Options{Nodes: 1, Configure: func(_ int, c *cluster.Config) {
		path := filepath.Join(c.DataDir, "state.reading")
		mark.Store(&path)
		c.Disk.Free = func(string) (uint64, error) {
			if info, err := os.Stat(path); err == nil {
				raise(&longest, info.Size())
			}
			return 1 << 30, nil
		}
	}})
	ctx := within(t, time.Minute)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	for _, test := range []struct {
		ended string
		reads int64 // the mark at most: as found, or one more while the whole state is read
		aside int
	}{{"", 0, 0}, {".", 2, 0}, {"..", 2, 1}} {
		r.Kill(0)
		if test.ended != "" {
			must(t, os.WriteFile(*mark.Load(), []byte(test.ended), 0o600))
		}
		longest.Store(0)
		must(t, r.Start(0))
		r.WaitReady()
		if _, err := os.Stat(*mark.Load()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after %q: the mark is still there: %v", test.ended, err)
		}
		aside, err := filepath.Glob(filepath.Join(r.Dir(0), "state.db.damaged-*"))
		if err != nil || len(aside) != test.aside || longest.Load() != test.reads {
			t.Errorf("after %q: the mark was %d at most, want %d; set aside %q, want %d, %v",
				test.ended, longest.Load(), test.reads, aside, test.aside, err)
		}
		if state, err := stateOf(ctx, r, 0, key); err != nil || state != store.Enabled {
			t.Errorf("after %q: %v, %v", test.ended, state, err)
		}
	}
}

func TestStartRefusesDataThatDoesNotFit(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, r, other *clustertest.Region)
		want  error
	}{
		"log removed": {func(t *testing.T, r, _ *clustertest.Region) {
			must(t, os.Remove(filepath.Join(r.Dir(0), "raft.db")))
		}, cluster.ErrNoLog},
		"state of another cluster": {func(t *testing.T, r, other *clustertest.Region) {
			copyFile(t, filepath.Join(other.Dir(0), "state.db"), filepath.Join(r.Dir(0), "state.db"))
		}, cluster.ErrReplaced},
		"state of another cluster, of other nodes": {func(t *testing.T, r, _ *clustertest.Region) {
			other := clustertest.New(t, clustertest.Options{Nodes: 1, Prefix: "z"})
			waitRegistered(t, other, 0)
			other.Kill(0)
			copyFile(t, filepath.Join(other.Dir(0), "state.db"), filepath.Join(r.Dir(0), "state.db"))
		}, cluster.ErrForeignData},
		"log of another cluster": {func(t *testing.T, r, other *clustertest.Region) {
			copyFile(t, filepath.Join(other.Dir(0), "raft.db"), filepath.Join(r.Dir(0), "raft.db"))
		}, cluster.ErrReplaced},
		"older log, newer state": {func(t *testing.T, r, _ *clustertest.Region) {
			log := filepath.Join(r.Dir(0), "raft.db")
			copyFile(t, log, log+".old")
			must(t, r.Start(0))
			r.WaitReady()
			for range 10 {
				_, err := clustertest.CreateKey(within(t, 10*time.Second), r.Node(0), regionName)
				must(t, err)
			}
			r.Kill(0)
			must(t, os.Rename(log+".old", log))
		}, cluster.ErrLogTail},
	} {
		t.Run(name, func(t *testing.T) {
			r := clustertest.New(t, clustertest.Options{Nodes: 1})
			other := clustertest.New(t, clustertest.Options{Nodes: 1})
			for _, region := range []*clustertest.Region{r, other} {
				waitRegistered(t, region, 0)
				region.Kill(0)
			}
			test.spoil(t, r, other)
			err := r.Start(0)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
		})
	}
	t.Run("another node or region is configured", func(t *testing.T) {
		r := clustertest.New(t, clustertest.Options{Nodes: 1})
		r.Kill(0)
		c := r.Config(0)
		c.NodeID, c.Voters[0].ID = "z", "z"
		_, err := cluster.Open(t.Context(), c)
		c.Voters[0].ID = "n1"
		if !errors.Is(err, cluster.ErrForeignData) {
			t.Errorf("error %v, want ErrForeignData", err)
		}
		c = r.Config(0)
		c.Account = "other"
		if _, err := cluster.Open(t.Context(), c); !errors.Is(err, cluster.ErrForeignData) {
			t.Errorf("error %v, want ErrForeignData", err)
		}
	})
}

func TestSnapshotIsInstalledOnANodeThatWasAway(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{Configure: func(_ int, c *cluster.Config) {
		c.Timing.SnapshotThreshold, c.Timing.SnapshotInterval, c.Timing.TrailingLogs = 20, 50*time.Millisecond, 4
	}})
	ctx := within(t, time.Minute)
	away := r.Follower()
	r.Kill(away)
	writer := r.Node(r.Leader())
	var keys []crypto.KeyID
	for range 120 {
		key, err := clustertest.CreateKey(ctx, writer, regionName)
		must(t, err)
		keys = append(keys, key)
	}
	// The log no longer reaches back to where the node was.
	must(t, clustertest.Decide(writer.Propose(ctx, clustertest.Disable(keys[0]))))
	waitFor(t, func() bool { return len(snapshotsIn(t, r.Dir(r.Leader()))) > 0 })
	must(t, r.Start(away))
	r.WaitReady()
	if len(snapshotsIn(t, r.Dir(away))) == 0 {
		t.Error("the node caught up without a snapshot: the test shows nothing")
	}
	for i, key := range keys {
		want := store.Enabled
		if i == 0 {
			want = store.Disabled
		}
		if state, err := stateOf(ctx, r, away, key); err != nil || state != want {
			t.Fatalf("key %d: %v, %v; want %v", i, state, err, want)
		}
	}
	// And it starts again on what was installed.
	r.Kill(away)
	must(t, r.Start(away))
	r.WaitReady()
}

func snapshotsIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "snapshots", "*", "meta.json"))
	must(t, err)
	var done []string
	for _, path := range found {
		if !strings.HasSuffix(filepath.Dir(path), ".tmp") {
			done = append(done, path)
		}
	}
	return done
}

func waitFor(t *testing.T, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// waitRegistered waits until a node's id is bound to its data, which it is only some
// time after the node is ready.
func waitRegistered(t *testing.T, r *clustertest.Region, i int) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	waitFor(t, func() (registered bool) {
		err := r.Node(i).Read(ctx, func(v *store.View) (err error) {
			_, registered, err = v.Node(r.Config(i).NodeID)
			return err
		})
		return err == nil && registered
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A damaged entry must neither be applied nor be handed to healthy nodes: the node
// that has it stays away.
func TestDamagedLogEntryReachesNobody(t *testing.T) {
	r := clustertest.New(t, clustertest.Options{})
	ctx := within(t, 60*time.Second)
	key, err := clustertest.CreateKey(ctx, r.Node(0), regionName)
	must(t, err)
	r.Kill(2)
	from := 0
	if r.Node(1).Status().Role == "leader" {
		from = 1
	}
	must(t, clustertest.Decide(r.Node(from).Propose(ctx, clustertest.Describe(key, "payments-UNIQUE"))))
	r.Kill(0)
	r.Kill(1)
	log := filepath.Join(r.Dir(0), "raft.db")
	data, err := os.ReadFile(log)
	must(t, err)
	if !bytes.Contains(data, []byte("payments-UNIQUE")) {
		t.Fatal("the description is not in the log")
	}
	must(t, os.WriteFile(log, bytes.ReplaceAll(data, []byte("payments-UNIQUE"), []byte("payments-UNIQUX")), 0o600))
	for i := range 3 {
		if err := r.Start(i); err != nil && !errors.Is(err, cluster.ErrLogDamaged) {
			t.Fatalf("node %d: %v", i, err)
		}
	}
	for _, i := range []int{1, 2} {
		var description string
		for {
			err := r.Node(i).Read(ctx, func(v *store.View) error {
				k, err := v.Key(key)
				if err == nil {
					description = k.Description
				}
				return err
			})
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("node %d: %v", i, err)
			}
		}
		if description != "payments-UNIQUE" {
			t.Errorf("node %d tells %q", i, description)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o600))
}
