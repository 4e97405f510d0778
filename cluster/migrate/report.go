package migrate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Report is what a run did, as its journal tells it, for whoever keeps records. It is not signed: it says no more than
// the journal and the output that it was made of.
type Report struct {
	Tool    string            `json:"tool"` // version of the program that made the report
	Journal string            `json:"journal"`
	Way     string            `json:"way"`
	From    string            `json:"from"`
	To      string            `json:"to"`
	Options map[string]string `json:"options"`
	// Plaintext says whether data keys were in clear outside of both regions: in the memory of the mover, or of a
	// verification (Opened).
	Plaintext bool     `json:"plaintext_outside"`
	Opened    Openings `json:"opened,omitzero"`
	Done      bool     `json:"done"`
	Pulse
	// Old blobs were put back since, all or some of them.
	Back
	Rows    int64     `json:"rows"`
	Counts  Counts    `json:"counts"`
	Began   time.Time `json:"began,omitzero"` // the first start
	Ended   time.Time `json:"ended,omitzero"` // the last checkpoint
	Starts  []Start   `json:"starts"`
	Traffic []Traffic `json:"traffic"` // over all starts

	Sources []KeyCount   `json:"sources"` // rows by the version of a key that they were sealed under
	Targets []KeyCount   `json:"targets"` // rows that were moved, by the one that they are sealed under now
	Groups  []GroupCount `json:"groups"`  // both together

	Codes    []CodeCount `json:"failed_by_code"`       // the most first
	Failures []Failure   `json:"failed"`               // the first of them
	Cut      int64       `json:"failed_cut,omitempty"` // how many more there are

	Input Digested `json:"input"` // what was read of it
	// InPlace says that rows were replaced where they are. Output is the undo file then.
	InPlace bool     `json:"in_place,omitempty"`
	Output  Digested `json:"output"` // as it is now
}

// KeyCount is what came of rows of one version of a key.
type KeyCount struct {
	Region  string `json:"region,omitempty"` // empty, as the rest is: the rows had no blob
	Key     string `json:"key,omitempty"`
	Version string `json:"version,omitempty"`
	Counts
}

// CodeCount is how many rows failed for a reason.
type CodeCount struct {
	Code string `json:"code"`
	Rows int64  `json:"rows"`
}

// Digested is a file.
type Digested struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"sha256,omitempty"`
	// Problem says why there is no digest, or what is different from what the journal knows.
	Problem string `json:"problem,omitempty"`
}

// NewReport makes the report of a run. It names so many failures at the most, and reads the output for its digest.
func NewReport(ctx context.Context, journal string, header Header, h History, failures int) (Report, error) {
	last := h.Last()
	r := Report{
		Journal: journal, Way: header.Way, From: header.From, To: header.To, Options: header.Options,
		Plaintext: header.Way == WayPlaintext || h.Opened.Times > 0, Opened: h.Opened,
		Done: last.Done, Rows: last.Rows, Counts: last.Counts, Starts: h.Starts, Traffic: h.Traffic(), Groups: h.Groups,
		Sources:  keyCounts(h.Groups, func(g GroupCount) string { return g.Source }),
		Targets:  keyCounts(slices.DeleteFunc(slices.Clone(h.Groups), func(g GroupCount) bool { return g.Target == "" }), func(g GroupCount) string { return g.Target }),
		Failures: h.Failures[:min(len(h.Failures), failures)],
		Input:    Digested{Name: header.Input, Bytes: last.Input, Digest: last.Digest},
	}
	r.Cut = r.Counts.Failed - int64(len(r.Failures))
	for code, rows := range h.Codes {
		r.Codes = append(r.Codes, CodeCount{code, rows})
	}
	slices.SortFunc(r.Codes, func(a, b CodeCount) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Code, b.Code)) })
	for _, s := range h.Starts {
		if r.Began.IsZero() || s.At.Before(r.Began) {
			r.Began = s.At
		}
		if s.Last.After(r.Ended) {
			r.Ended = s.Last
		}
	}
	var err error
	if r.Back, err = RolledBack(journal, header, h); err != nil {
		return r, err
	}
	output := header.Output
	if output == "" { // rows were replaced where they are; what they were is beside the journal
		r.InPlace, output = true, UndoPath(journal)
	}
	r.Output, err = digestOutput(ctx, output, last)
	if r.Begun && r.Output.Bytes > last.Output {
		r.Output.Problem = "" // each rollback has added a line
	}
	return r, err
}

// State says in words how a run stands.
func State(done bool, pulse Pulse, back Back) string {
	state := "done"
	switch {
	case !done && !back.Begun:
		return pulse.unfinished()
	case !done:
		state = "not done"
	}
	switch {
	case !back.Begun:
		return state
	case !back.Ended:
		return state + ", and being taken back by a rollback that has not ended: start it again"
	case back.Left > 0:
		return fmt.Sprintf("%s, and taken back by a rollback, but for %s rows", state, count(back.Left))
	}
	return state + ", and taken back by a rollback"
}

// keyCounts adds groups up by one of their keys.
func keyCounts(groups []GroupCount, of func(GroupCount) string) []KeyCount {
	sums := map[string]Counts{}
	for _, g := range groups {
		c := sums[of(g)]
		c.add(g.Counts)
		sums[of(g)] = c
	}
	list := make([]KeyCount, 0, len(sums))
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		k := KeyCount{Counts: sums[name]}
		k.Region, k.Key, _ = strings.Cut(name, "/")
		k.Key, k.Version, _ = strings.Cut(k.Key, "/")
		list = append(list, k)
	}
	return list
}

// digestOutput reads the output, if it is a file that the journal knows of.
func digestOutput(ctx context.Context, path string, last Checkpoint) (Digested, error) {
	d := Digested{Name: path, Bytes: last.Output}
	if last.Output == 0 {
		return d, nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.Problem = "it is not there"
		return d, nil
	case err == nil && !info.Mode().IsRegular():
		d.Problem = "it is no file any more"
		return d, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer file.Close()
	hash := sha256.New()
	if d.Bytes, err = io.Copy(hash, untilDone{ctx, file}); err != nil {
		return d, err
	}
	d.Digest = hex.EncodeToString(hash.Sum(nil))
	switch {
	case last.Done && d.Bytes != last.Output, d.Bytes < last.Output:
		d.Problem = "it was changed: it does not have the length that the run left it with"
	case d.Bytes > last.Output:
		d.Problem = "the run is not done: it has more than the last checkpoint covers"
	}
	return d, nil
}

// untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	io.Reader
}

func (r untilDone) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
