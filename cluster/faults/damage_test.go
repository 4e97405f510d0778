//go:build faults

package faults

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// damage is one thing that happens to the files of a stopped server.
type damage struct {
	name string
	do   func(r *run, n *node, older string) error // older: a copy of the folder as it was before
	// refuses: the server must not start again with these files, because what it
	// has promised to the others is lost.
	refuses bool
	// hides: the server may find the damage only as it comes upon it, and ends then.
	hides bool
}

func inData(n *node, name string) string { return filepath.Join(n.data, name) }

var damages = []damage{
	{name: "state deleted", do: func(_ *run, n *node, _ string) error { return os.Remove(inData(n, "state.db")) }},
	{name: "state truncated", do: func(r *run, n *node, _ string) error { return truncate(r, inData(n, "state.db")) }},
	{name: "state emptied", do: func(_ *run, n *node, _ string) error { return os.Truncate(inData(n, "state.db"), 0) }},
	{name: "state older", do: func(_ *run, n *node, older string) error {
		return copyFile(filepath.Join(older, "state.db"), inData(n, "state.db"))
	}},
	{name: "state with flipped bits", hides: true, do: func(r *run, n *node, _ string) error { return flipBits(r, inData(n, "state.db")) }},
	{name: "state and snapshots deleted", do: func(_ *run, n *node, _ string) error {
		return errors.Join(os.Remove(inData(n, "state.db")), os.RemoveAll(inData(n, "snapshots")))
	}},
	{name: "leftover temporaries", do: leaveTemporaries},
	{name: "log deleted", refuses: true, do: func(_ *run, n *node, _ string) error { return os.Remove(inData(n, "raft.db")) }},
	{name: "log emptied", refuses: true, do: func(_ *run, n *node, _ string) error { return os.Truncate(inData(n, "raft.db"), 0) }},
	{name: "log older", refuses: true, do: func(_ *run, n *node, older string) error {
		return copyFile(filepath.Join(older, "raft.db"), inData(n, "raft.db"))
	}},
	{name: "log of another node", refuses: true, do: func(r *run, n *node, _ string) error {
		return copyFile(inData(r.region.without(n)[0], "raft.db"), inData(n, "raft.db"))
	}},
	{name: "folder emptied", refuses: true, do: func(_ *run, n *node, _ string) error {
		return errors.Join(os.RemoveAll(n.data), os.Mkdir(n.data, 0o700))
	}},
}

// damageFiles kills a server, damages its files and starts it again, as a
// supervisor would: in every way, and in the short form in every other.
func damageFiles(r *run) {
	var healed []time.Duration
	count, skip := 0, -1
	if *short {
		skip = r.rand.IntN(2)
	}
	for range rounds(1, 8) {
		for i, d := range damages {
			if i%2 == skip {
				continue
			}
			n := r.victim(count)
			count++
			older := filepath.Join(r.region.dir, "older")
			r.must(errors.Join(os.RemoveAll(older), copyFolder(n.data, older)))
			r.settle(r.between(time.Second, 2*time.Second)) // so that older is older
			r.broken(d.name, []*node{n}, func() {
				r.region.kill(n)
				whole := filepath.Join(r.region.dir, "whole")
				r.must(errors.Join(os.RemoveAll(whole), copyFolder(n.data, whole)))
				r.must(d.do(r, n, older))
				began := time.Now()
				if !d.refuses {
					r.supervise(n, d.name)
					healed = append(healed, time.Since(began))
					if d.hides {
						r.useUp(n, d.name)
					}
					return
				}
				r.mustNotStart(n, d.name)
				r.must(errors.Join(os.RemoveAll(n.data), copyFolder(whole, n.data)))
				r.supervise(n, d.name+", undone")
			})
			r.settle(r.between(200*time.Millisecond, time.Second))
		}
	}
	median, longest := spread(healed)
	r.number("ready again, median", "%v", median)
	r.number("ready again, longest", "%v", longest)
}

// supervise starts a server until it is ready, again when it ends: a server
// that finds damage while it runs ends and mends it at its next start.
func (r *run) supervise(n *node, after string) {
	r.Helper()
	deadline := time.Now().Add(patience)
	for starts := 0; time.Now().Before(deadline) && starts < 8; starts++ {
		r.region.start(n)
		var ready bool
		eventually(time.Until(deadline), func() bool {
			ready, _ = n.ready()
			return ready || !n.proc.running()
		})
		if ready {
			return
		}
	}
	r.Fatalf("%s: %s does not become ready%s", after, n.id, n.logTail())
}

// useUp has a server work for a while with damage that it may not have found, and
// start again when that ends it. Then its state is deleted, so that no damage is
// left.
func (r *run) useUp(n *node, after string) {
	r.Helper()
	for end := time.Now().Add(r.between(time.Second, 3*time.Second)); time.Now().Before(end); {
		if !n.proc.running() {
			r.number("damage found in use", "yes")
			r.supervise(n, after)
		}
		r.settle(10 * time.Millisecond)
	}
	n.proc.kill()
	r.must(os.Remove(inData(n, "state.db")))
	r.supervise(n, after+", deleted")
}

// mustNotStart starts a server that has to end with advice, and never gets
// ready.
func (r *run) mustNotStart(n *node, after string) {
	r.Helper()
	r.region.start(n)
	var ready bool
	eventually(6*time.Second, func() bool {
		ready, _ = n.ready()
		return ready || !n.proc.running()
	})
	switch {
	case ready:
		r.Errorf("%s: %s serves again under its old id", after, n.id)
	case n.proc.running():
		// It waits, for the others to know it again: it answers nobody.
		r.mustRefuseOrBeDown(n)
	}
	n.proc.kill()
}

func (r *run) mustRefuseOrBeDown(n *node) {
	r.Helper()
	c := r.load.caller("outcast")
	defer c.close()
	o := c.try(r.load.ctx, n, op{Action: "GenerateDataKey", Object: r.load.stable}, map[string]string{"KeyId": r.load.stable}, nil)
	if o.Outcome != unreachable && o.Outcome != unavailable {
		r.Errorf("%s answered: %s %s", n.id, o.Outcome, o.Code)
	}
}

func truncate(r *run, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, r.rand.Int64N(info.Size()))
}

// flipBits flips a bit in each of some pages.
func flipBits(r *run, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for range 8 {
		at := r.rand.Int64N(min(info.Size(), 1<<20))
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil {
			return err
		}
		b[0] ^= 1 << r.rand.IntN(8)
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	return nil
}

// leaveTemporaries leaves what a crash at any moment of making files leaves.
func leaveTemporaries(_ *run, n *node, older string) error {
	half, err := os.ReadFile(filepath.Join(older, "state.db"))
	if err != nil {
		return err
	}
	half = half[:len(half)/2]
	tmp := inData(n, filepath.Join("snapshots", "9-99999-1700000000000.tmp"))
	return errors.Join(
		os.WriteFile(inData(n, "state.db.new"), half, 0o600),
		os.WriteFile(inData(n, "raft.db.new"), half, 0o600),
		os.WriteFile(inData(n, "probe"), nil, 0o600),
		os.MkdirAll(tmp, 0o700),
		os.WriteFile(filepath.Join(tmp, "state.bin"), half, 0o600),
	)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// copyFolder copies a folder; a file that goes away meanwhile is left out, and
// holes stay holes.
func copyFolder(from, to string) error {
	out, err := exec.Command("cp", "-a", "--sparse=always", from, to).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && onlyGone(string(out)) {
		return nil
	}
	return err
}

func onlyGone(said string) bool {
	for line := range strings.Lines(said) {
		if !strings.Contains(line, fs.ErrNotExist.Error()) && !strings.Contains(line, "No such file") {
			return false
		}
	}
	return true
}
