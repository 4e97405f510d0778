package migrate

import "time"

// History is what a journal tells of the run so far.
type History struct {
	Begun       bool             // the run has a journal
	Checkpoints []Checkpoint     // in order; a finished run ends with one that is Done. Of very many, some in between are missing
	Failures    []Failure        // of rows that the last checkpoint covers, the first MaxListed
	Codes       map[string]int64 // how many of all failures have a code
	Starts      []Start          // in order
	Opened      Openings         // of data keys, by verifications
	Groups      []GroupCount     // of all rows that the last checkpoint covers, in order

	groups tally
}

// Last is how far the run has come; the zero value at its beginning.
func (h History) Last() Checkpoint {
	if len(h.Checkpoints) == 0 {
		return Checkpoint{}
	}
	return h.Checkpoints[len(h.Checkpoints)-1]
}

// lastTime is the time of the last checkpoint; zero: there was none.
func (h History) lastTime() (last time.Time) {
	for _, s := range h.Starts {
		if !s.Last.IsZero() {
			last = s.Last
		}
	}
	return last
}

// Traffic is what the regions were asked over all starts, in the order of the first.
func (h History) Traffic() (sum []Traffic) {
	for _, start := range h.Starts {
	next:
		for _, t := range start.Traffic {
			for i := range sum {
				if sum[i].Region == t.Region {
					sum[i].add(t)
					continue next
				}
			}
			sum = append(sum, t)
		}
	}
	return sum
}

// add takes in what came with a checkpoint.
func (h *History) add(since Since) {
	h.Failures = append(h.Failures, since.Failures[:min(len(since.Failures), MaxListed-len(h.Failures))]...)
	for _, f := range since.Failures {
		if h.Codes == nil {
			h.Codes = map[string]int64{}
		}
		h.Codes[f.Code]++
	}
	for _, g := range since.Groups {
		h.groups.add(group{g.Source, g.Target}, g.Counts)
	}
	if n := len(h.Starts); n > 0 {
		h.Starts[n-1].Last = since.At
		h.Starts[n-1].Traffic = since.Traffic
	}
}
