//go:build faults

package faults

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// volumeBytes is the size of each node's volume in the full-disk scenario, and
// lowWater the free space below which servers there refuse writes.
const (
	volumeBytes = 160 << 20
	lowWater    = 32 << 20
)

// mountVolumes gives each node a volume of its own.
func mountVolumes(r *run) {
	for _, n := range r.region.nodes {
		r.must(syscall.Mount("tmpfs", n.data, "tmpfs", 0, "mode=0700,size="+strconv.Itoa(volumeBytes)))
		r.Cleanup(func() {
			// What still runs on it ends when the region does; the volume goes then.
			if err := syscall.Unmount(n.data, syscall.MNT_DETACH); err != nil {
				r.Errorf("unmounting %s: %v", n.data, err)
			}
		})
	}
}

func filler(n *node) string { return filepath.Join(n.data, "filler") }

// fill takes space of a node's volume until only so much is left.
func (r *run) fill(n *node, leave uint64) {
	r.Helper()
	f, err := os.OpenFile(filler(n), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	r.must(err)
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for {
		var st syscall.Statfs_t
		r.must(syscall.Statfs(n.data, &st))
		free := st.Bavail * uint64(st.Bsize)
		if free <= leave {
			return
		}
		_, err := f.Write(chunk[:min(free-leave, uint64(len(chunk)))])
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
			return
		}
		r.must(err)
	}
}

// writeAt writes once and returns what became of it.
func (r *run) writeAt(c *caller, n *node, key string) op {
	return c.try(context.Background(), n, op{Action: "EnableKey", Object: key}, map[string]string{"KeyId": key}, nil)
}

// fullDisk fills the leader's volume below the low-water mark and frees it
// again, and then a follower's to the last byte.
func fullDisk(r *run) {
	c := r.load.caller("full")
	defer c.close()
	var refusal, recovery []time.Duration
	for range rounds(1, 8) {
		leader := r.region.leader()
		key := r.load.mustCreateKey(c)
		r.broken("nearly full leader", nil, func() {
			began := time.Now()
			r.fill(leader, lowWater/2)
			if !eventually(patience, func() bool { return r.writeAt(c, leader, key).Outcome == unavailable }) {
				r.Errorf("writes go on with a disk below its low-water mark")
			}
			refusal = append(refusal, time.Since(began))
			// What takes a key out of use goes through.
			if o := c.try(context.Background(), leader, op{Action: "DisableKey", Object: key}, map[string]string{"KeyId": key}, nil); o.Outcome != done {
				r.Errorf("DisableKey on a nearly full disk: %s %s %s", o.Outcome, o.Code, o.Error)
			}
			r.load.judgeEverywhere(c, expectation{after: "DisableKey", use: key, code: "Rejected.Disabled"})
			r.settle(time.Second)
			r.must(os.Remove(filler(leader)))
			began = time.Now()
			if !eventually(patience, func() bool { return r.writeAt(c, leader, key).Outcome == done }) {
				r.Errorf("writes are still refused after the disk has room again")
			}
			recovery = append(recovery, time.Since(began))
		})

		leader = r.region.leader()
		victim := r.region.without(leader)[r.rand.IntN(2)]
		r.broken("full follower", []*node{victim}, func() {
			r.fill(victim, 0)
			r.settle(r.between(time.Second, 8*time.Second))
			r.must(os.Remove(filler(victim)))
			if victim.proc.dead() {
				r.number("followers that ended for want of space", "yes")
				r.region.start(victim)
			}
			r.region.waitReady(victim)
		})
		r.settle(time.Second)
	}
	_, longest := spread(refusal)
	r.number("writes refused after", "%v", longest)
	_, longest = spread(recovery)
	r.number("writes accepted again after", "%v", longest)
}
