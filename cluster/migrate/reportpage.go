package migrate

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Markdown writes the report as a page.
func (r Report) Markdown(w io.Writer) error {
	p := page{}
	p.line("# Data keys moved from %s to %s", cell(r.From), cell(r.To))
	p.line("")
	p.table([]string{"", ""}, r.facts())
	p.section("Rows by the key that they were sealed under")
	p.keys(r.Sources, true)
	p.section("Rows that were moved, by the key that they are sealed under now")
	p.keys(r.Targets, false)
	p.section("Failed rows")
	p.failures(r)
	p.section("Starts")
	p.starts(r.Starts)
	p.section("What the regions were asked")
	p.traffic(r.Traffic)
	if len(r.Options) > 0 {
		p.section("Options")
		var rows [][]string
		for _, name := range slices.Sorted(maps.Keys(r.Options)) {
			if r.Options[name] == "" {
				continue // as if nobody had said anything
			}
			rows = append(rows, []string{name, r.Options[name]})
		}
		p.table([]string{"option", "value"}, rows)
	}
	p.line("")
	p.line("Made by meridian %s from the journal %s. It is not signed: it says what the journal says.", cell(r.Tool), cell(r.Journal))
	_, err := io.WriteString(w, p.text.String())
	return err
}

// facts are what the first table says.
func (r Report) facts() [][]string {
	outside := "no: in this run data keys left a region only encrypted for the other one"
	if r.Way == WayPlaintext {
		outside = "yes: data keys were in clear in the memory of the mover"
	}
	if r.Opened.Times > 0 {
		outside += fmt.Sprintf("; yes in verify --open, which had them in clear in its memory: begun %s times, last at %s", count(r.Opened.Times), clock(r.Opened.Last))
	}
	output := "output"
	if r.InPlace {
		output = "replaced in place, undo file"
	}
	ended := "ended"
	if !r.Done {
		ended = "last checkpoint"
	}
	return [][]string{
		{"state", State(r.Done, r.Pulse, r.Back)}, {"way", r.Way}, {"plaintext outside", outside},
		{"rows", count(r.Rows)}, {"moved", count(r.Counts.Moved)}, {"kept", count(r.Counts.Kept)}, {"skipped", count(r.Counts.Skipped)}, {"failed", count(r.Counts.Failed)},
		{"began", clock(r.Began)}, {ended, clock(r.Ended)}, {"input", r.Input.fact()}, {output, r.Output.fact()},
	}
}

// fact tells of a file.
func (d Digested) fact() string {
	parts := []string{d.Name}
	if d.Bytes > 0 {
		parts = append(parts, count(d.Bytes)+" bytes")
	}
	if d.Digest != "" {
		parts = append(parts, "SHA-256 "+d.Digest)
	}
	if d.Problem != "" {
		parts = append(parts, d.Problem)
	}
	return strings.Join(parts, ", ")
}

// page is Markdown in the making.
type page struct{ text strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (p *page) section(title string) { p.line("\n## %s\n", title) }

func (p *page) table(header []string, rows [][]string) {
	p.line("| %s |", strings.Join(header, " | "))
	p.line("|%s", strings.Repeat(" --- |", len(header)))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i := range row {
			cells[i] = cell(row[i])
		}
		p.line("| %s |", strings.Join(cells, " | "))
	}
}

// keys writes counts by key; outcomes says whether by outcome too.
func (p *page) keys(list []KeyCount, outcomes bool) {
	if len(list) == 0 {
		p.line("None.")
		return
	}
	header := []string{"region", "key", "version", "moved"}
	if outcomes {
		header = append(header, "kept", "skipped", "failed")
	}
	var rows [][]string
	for _, k := range list {
		row := []string{cmp.Or(k.Region, "no ciphertext"), k.Key, k.Version, count(k.Moved)}
		if outcomes {
			row = append(row, count(k.Kept), count(k.Skipped), count(k.Failed))
		}
		rows = append(rows, row)
	}
	p.table(header, rows)
}

func (p *page) failures(r Report) {
	if len(r.Codes) == 0 {
		p.line("None.")
		return
	}
	var rows [][]string
	for _, c := range r.Codes {
		rows = append(rows, []string{c.Code, count(c.Rows)})
	}
	p.table([]string{"code", "rows"}, rows)
	p.line("")
	rows = nil
	for _, f := range r.Failures {
		rows = append(rows, []string{count(f.Row), count(f.Line), f.ID, f.Code, f.Reason})
	}
	p.table([]string{"row", "line", "id", "code", "reason"}, rows)
	if r.Cut > 0 {
		p.line("\nAnd %s more, which `meridian migrate status --list-failed` names.", count(r.Cut))
	}
}

func (p *page) starts(list []Start) {
	var rows [][]string
	for i, s := range list {
		row := []string{strconv.Itoa(i + 1), clock(s.At), clock(s.Last), s.Tool, strconv.Itoa(s.Parallel)}
		var ids []string
		for _, t := range s.Traffic {
			if t.First != "" {
				ids = append(ids, t.Region+" "+t.First+" to "+t.Last)
			}
		}
		rows = append(rows, append(row, strings.Join(ids, ", ")))
	}
	p.table([]string{"start", "at", "last checkpoint", "meridian", "at once", "request ids, first to last"}, rows)
}

func (p *page) traffic(list []Traffic) {
	var rows [][]string
	for _, t := range list {
		rows = append(rows, []string{t.Region, count(t.Calls), count(t.Throttled), count(t.Unreached)})
	}
	p.table([]string{"region", "calls", "told to come later", "nodes not reached"}, rows)
}

// cell is text of others, safe in a cell of a table.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`, "`", "\\`", `<`, `\<`, `*`, `\*`, `[`, `\[`).Replace(text)
}

// count is a number with its digits in groups; nothing for none.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}

// clock is a moment in UTC; nothing for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
