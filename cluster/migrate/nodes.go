package migrate

import (
	"sync"
	"time"
)

// Times for which a node is left alone that could not answer, doubled each time that it is tried again in vain.
const (
	firstRest = 500 * time.Millisecond
	mostRest  = 30 * time.Second
)

// nodeList says which node of a region is asked next: all in turn, but those that could not answer are left alone for a
// while. It is safe for concurrent use.
type nodeList struct {
	mu    sync.Mutex
	next  int
	nodes []nodeState
}

type nodeState struct {
	rests time.Time     // until when it is left alone
	rest  time.Duration // that it gets if it fails again
}

func newNodeList(nodes int) *nodeList { return &nodeList{nodes: make([]nodeState, nodes)} }

// pick chooses the next node, but none of those that were tried. A node whose rest is over is tried by one caller alone
// until that has come back. If all that are left rest, it is the one that rests the shortest.
func (l *nodeList) pick(now time.Time, tried []bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	best := -1
	for i := range l.nodes {
		at := (l.next + i) % len(l.nodes)
		n := &l.nodes[at]
		switch {
		case tried[at]:
		case !n.rests.After(now):
			l.next = at + 1
			if n.rest > 0 {
				n.rests = now.Add(n.rest)
			}
			return at
		case best < 0 || n.rests.Before(l.nodes[best].rests):
			best = at
		}
	}
	return best
}

// answered notes that a node is there.
func (l *nodeList) answered(at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[at] = nodeState{}
}

// failed notes that a node could not answer. What failed while it was resting already says nothing new.
func (l *nodeList) failed(at int, began, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &l.nodes[at]
	if n.rest > 0 && began.Before(n.rests.Add(-n.rest)) {
		return
	}
	n.rest = min(max(2*n.rest, firstRest), mostRest)
	n.rests = now.Add(n.rest)
}
