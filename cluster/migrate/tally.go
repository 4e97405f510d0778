package migrate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"meridian/crypto"
)

// Start is one start of a run.
type Start struct {
	At       time.Time `json:"at"`
	Tool     string    `json:"tool,omitempty"` // version of the program
	Parallel int       `json:"parallel"`
	// Traffic is what the regions were asked from then on; it comes with the checkpoints.
	Traffic []Traffic `json:"traffic,omitempty"`
	// Last is the time of the last checkpoint of this start; zero: there was none.
	Last time.Time `json:"last,omitzero"`
}

// Since is what a checkpoint tells of the time since the one before.
type Since struct {
	At       time.Time    `json:"at,omitzero"` // of the checkpoint
	Failures []Failure    `json:"failed,omitempty"`
	Groups   []GroupCount `json:"groups,omitempty"`
	Traffic  []Traffic    `json:"traffic,omitempty"` // since the start, not the checkpoint
}

// GroupCount is what came of the rows that were sealed under one version of a key, and of those of them that went to one
// version of another.
type GroupCount struct {
	Source string `json:"source"`           // REGION/KEYID/VERSION; empty: the rows had no blob
	Target string `json:"target,omitempty"` // the same of their new blobs; empty: they have none
	Counts
}

// maxGroups bounds the groups that a run tells apart, and a plan; rows of others are counted together, by a run under otherGroups.
const (
	maxGroups   = 10_000
	otherGroups = "others"
)

// group names what a GroupCount counts.
type group struct{ source, target string }

// tally counts rows by their group.
type tally struct {
	counts map[group]*Counts
	known  map[group]bool    // also those that were counted and taken
	names  map[string]string // header of a blob -> its REGION/KEYID/VERSION
}

// add counts more rows of a group.
func (t *tally) add(g group, rows Counts) {
	c := t.counts[g]
	if c == nil {
		c = t.begin(g)
	}
	c.add(rows)
}

// begin returns where a group is counted that was not since the last take.
func (t *tally) begin(g group) *Counts {
	if t.counts == nil {
		t.counts = map[group]*Counts{}
	}
	if t.known == nil {
		t.known = map[group]bool{}
	}
	if !t.known[g] && len(t.known) >= maxGroups {
		g = group{source: otherGroups}
	} else {
		t.known[g] = true
	}
	if t.counts[g] == nil {
		t.counts[g] = &Counts{}
	}
	return t.counts[g]
}

// row counts one row.
func (t *tally) row(row *Row, o *Outcome) {
	g := group{source: o.From}
	if g.source == "" {
		g.source = t.name(row.Blob)
	}
	if o.Status == Moved {
		if g.target = o.To; g.target == "" {
			g.target = t.name(o.Blob)
		}
	}
	t.add(g, countOf(o.Status))
}

// name is REGION/KEYID/VERSION of a blob; empty if it is none.
func (t *tally) name(blob []byte) string {
	header, err := crypto.BlobHeader(blob)
	if err != nil {
		return ""
	}
	name, ok := t.names[string(header)]
	if !ok {
		name = sourceOf(&Row{Blob: blob})
		if t.names == nil || len(t.names) >= maxGroups { // rows may have any header that they like
			t.names = map[string]string{}
		}
		t.names[string(header)] = name
	}
	return name
}

// add adds counts of other rows.
func (c *Counts) add(rows Counts) {
	c.Moved += rows.Moved
	c.Kept += rows.Kept
	c.Failed += rows.Failed
	c.Skipped += rows.Skipped
	c.Others += rows.Others
}

// countOf is one row with a status.
func countOf(s Status) (c Counts) {
	switch s {
	case Moved:
		c.Moved = 1
	case Kept:
		c.Kept = 1
	case Skipped:
		c.Skipped = 1
	default:
		c.Failed = 1
	}
	return c
}

// take returns what was counted, in order, and begins again.
func (t *tally) take() []GroupCount {
	list := t.list()
	t.counts = nil
	return list
}

// list is what was counted, in order.
func (t *tally) list() []GroupCount {
	groups := slices.SortedFunc(maps.Keys(t.counts), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.target, b.target))
	})
	list := make([]GroupCount, 0, len(groups))
	for _, g := range groups {
		list = append(list, GroupCount{Source: g.source, Target: g.target, Counts: *t.counts[g]})
	}
	return list
}
