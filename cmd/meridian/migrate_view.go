package main

import (
	"fmt"
	"io"
	"time"

	"meridian/cluster/migrate"
)

// migrateView is what came of a run.
type migrateView struct {
	Journal string `json:"journal"`
	Output  string `json:"output"`
	Way     string `json:"way"`
	Done    bool   `json:"done"`
	Rows    int64  `json:"rows"`
	Moved   int64  `json:"moved"`
	Kept    int64  `json:"kept"`
	Skipped int64  `json:"skipped"`
	Failed  int64  `json:"failed"`
	// Throttled is how often a region said to come later, over all starts.
	Throttled int64 `json:"throttled"`
	Starts    int   `json:"starts"`
	// Checkpoint is the time of the last one; what was written before it is safe.
	Checkpoint string `json:"checkpoint,omitempty"`
	Others     int64  `json:"others,omitempty"` // rows of other shards
	migrate.Pulse
	// Old ciphertexts were put back since, all or some of them.
	migrate.Back
	// Failures name the rows that were not moved, the first 10,000.
	Failures []migrate.Failure `json:"failures,omitempty"`
	Cut      int64             `json:"failures_cut,omitempty"` // how many more there are
}

// viewOf tells of a run by its journal.
func viewOf(journal string, header migrate.Header, last migrate.Checkpoint, history migrate.History) migrateView {
	v := migrateView{
		Journal: journal, Output: header.Output, Way: header.Way, Done: last.Done, Rows: last.Rows,
		Moved: last.Counts.Moved, Kept: last.Counts.Kept, Skipped: last.Counts.Skipped, Failed: last.Counts.Failed, Others: last.Counts.Others, Failures: history.Failures,
		Starts: len(history.Starts),
	}
	if history.Begun {
		v.Cut = v.Failed - int64(len(v.Failures))
	}
	for _, t := range history.Traffic() {
		v.Throttled += t.Throttled
	}
	for _, s := range history.Starts {
		if !s.Last.IsZero() {
			v.Checkpoint = s.Last.Format(time.RFC3339)
		}
	}
	return v
}

func (v migrateView) table(w io.Writer) {
	fmt.Fprintf(w, "rows %s: moved %s, kept %s, ", grouped(uint64(v.Rows)), grouped(uint64(v.Moved)), grouped(uint64(v.Kept)))
	if v.Skipped > 0 {
		fmt.Fprintf(w, "skipped %s, ", grouped(uint64(v.Skipped)))
	}
	fmt.Fprintf(w, "failed %s", grouped(uint64(v.Failed)))
	if v.Throttled > 0 {
		fmt.Fprintf(w, ", throttled %s", grouped(uint64(v.Throttled)))
	}
	if v.Others > 0 {
		fmt.Fprintf(w, ", of other shards %s", grouped(uint64(v.Others)))
	}
	if v.Way == migrate.WayPlaintext {
		fmt.Fprint(w, ", in the plaintext way")
	}
	fmt.Fprintf(w, "; %s\n", migrate.State(v.Done, v.Pulse, v.Back))
	writeFailures(w, v.Failures, v.Cut, fmt.Sprintf("meridian migrate status %s --list-failed", shellQuote(v.Journal)))
}
