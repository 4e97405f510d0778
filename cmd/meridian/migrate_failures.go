package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"meridian/cluster/migrate"
)

// shownFailures is how many failures a table shows.
const shownFailures = 20

// writeFailures writes the first failures of a list, of which so many more were cut off, and what names the rest.
func writeFailures(w io.Writer, list []migrate.Failure, cut int64, rest string) {
	shown := list[:min(len(list), shownFailures)]
	for _, failure := range shown {
		fmt.Fprintln(w, failureLine(failure))
	}
	if more := int64(len(list)-len(shown)) + cut; more > 0 {
		fmt.Fprintf(w, "and %s more: %s\n", grouped(uint64(more)), rest)
	}
}

// jsonNames says what JSON has of a list of which so many were cut off.
func jsonNames(list []migrate.Failure, cut int64) string {
	if cut > 0 {
		return fmt.Sprintf("--output json names the first %s", grouped(uint64(len(list))))
	}
	return "--output json names them"
}

// failureLine names a row and says why it was not moved.
func failureLine(f migrate.Failure) string {
	place := fmt.Sprintf("line %d", f.Line)
	if f.Line == 0 { // where there are no lines
		place = fmt.Sprintf("row %d", f.Row)
	}
	parts := []string{place, f.ID, f.Code + ":", f.Reason}
	return printable(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " "))
}

// failureStream writes failures as they come, however many there are: none is kept. Nil writes none.
type failureStream struct {
	out  *bufio.Writer
	json bool
	err  error
}

// streamFailures makes a stream to where results go, if the flag of this name wants one.
func (p *printer) streamFailures(flag string, wanted bool) (*failureStream, error) {
	switch {
	case !wanted:
		return nil, nil
	case p.format == "json", p.format == "yaml":
		return nil, usageError("--%s names rows one by one, and --output %s is one object: want table, or jsonl, which has a line for each of them before that of the result", flag, p.format)
	}
	return &failureStream{out: bufio.NewWriter(p.out), json: p.format == "jsonl"}, nil
}

// each is what every failure is given to; nil for nil.
func (s *failureStream) each() func(migrate.Failure) error {
	if s == nil {
		return nil
	}
	return s.add
}

// add writes one.
func (s *failureStream) add(f migrate.Failure) error {
	if s.json {
		s.err = json.NewEncoder(s.out).Encode(f)
	} else {
		_, s.err = fmt.Fprintln(s.out, failureLine(f))
	}
	return s.err
}

// end writes what is left, and returns the first error of the stream.
func (s *failureStream) end() error {
	if s == nil {
		return nil
	}
	return cmp.Or(s.err, s.out.Flush())
}
