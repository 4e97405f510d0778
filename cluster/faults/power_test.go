//go:build faults

package faults

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// losePower has all three machines lose power at one instant under load: what
// was not synced is gone in part, and the last write is torn. One recording is
// rebuilt several times, each with other parts lost.
func losePower(r *run) {
	variants := rounds(2, 8)
	lost, files := 0, 0
	for range rounds(1, 10) {
		r.broken("lose power", r.region.nodes, func() {
			r.load.history.hold(func() {
				r.region.stop(r.region.nodes...)
				for _, n := range r.region.nodes {
					r.must(copyFresh(n.data, n.data+".base"))
				}
				r.region.prefix = func(n *node) []string { return record(n.log + ".record") }
				r.region.start(r.region.nodes...)
				r.region.prefix = nil
				r.region.waitReady(r.region.nodes...)
			})
			r.settle(r.between(2*time.Second, 6*time.Second))
			r.region.kill(r.region.nodes...)
			r.load.history.hold(func() {
				recordings := map[*node]map[string]*recording{}
				for _, n := range r.region.nodes {
					recordings[n] = r.recorded(n)
					for _, f := range recordings[n] {
						files++
						if f.durable < len(f.changes) {
							lost++
						}
					}
				}
				for variant := range variants {
					for _, n := range r.region.nodes {
						r.must(copyFresh(n.data+".base", n.data))
						for path, f := range recordings[n] {
							r.must(f.rebuild(path, r.rand))
						}
					}
					r.region.start(r.region.nodes...)
					r.region.waitReady(r.region.nodes...)
					if variant < variants-1 {
						r.judgeVariant()
						r.region.kill(r.region.nodes...)
					}
				}
			})
		})
		r.settle(time.Second)
	}
	r.number("files with writes lost", "%d of %d", lost, files)
}

// judgeVariant reads all counters on what was rebuilt. What was not acknowledged
// may be there in one variant and not in the next: each is judged by itself.
func (r *run) judgeVariant() {
	r.Helper()
	after := &history{began: r.load.history.began}
	r.readAll(after)
	for _, text := range verify(append(r.load.history.all(), after.all()...)).violations {
		r.Error(text)
	}
}

// recorded is what happened to the files that bbolt writes on one node.
func (r *run) recorded(n *node) map[string]*recording {
	r.Helper()
	log, err := os.Open(n.log + ".record")
	r.must(err)
	defer log.Close()
	all, err := replay(log)
	r.must(err)
	files := map[string]*recording{}
	for _, path := range stateFiles(n) {
		if f := all[path]; f != nil {
			files[path] = f
		}
	}
	if len(files) == 0 {
		r.Fatalf("nothing that %s wrote was recorded", n.id)
	}
	return files
}

// copyFresh makes to a copy of from and nothing else.
func copyFresh(from, to string) error {
	if filepath.Dir(from) != filepath.Dir(to) {
		return errors.New("not beside each other")
	}
	return errors.Join(os.RemoveAll(to), copyFolder(from, to))
}
