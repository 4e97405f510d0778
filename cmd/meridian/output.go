package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
)

// outputFlags say how results look.
type outputFlags struct {
	format     string
	quiet      bool
	noProgress bool
}

func (f *outputFlags) addTo(c *cobra.Command) {
	p := c.PersistentFlags()
	p.StringVarP(&f.format, "output", "o", "table", "`FORMAT` of the result: table, json, yaml or jsonl")
	p.BoolVarP(&f.quiet, "quiet", "q", false, "only the result, without hints; tables shrink to what names a thing")
	p.BoolVar(&f.noProgress, "no-progress", false, "no progress bar")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml", "jsonl"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func (f *outputFlags) check(c *cobra.Command) error {
	switch f.format {
	case "table", "json", "yaml", "jsonl":
		return nil
	}
	text := fmt.Sprintf("--output %q: want table, json, yaml or jsonl", f.format)
	file := "FILE"
	if strings.ContainsAny(f.format, "./-") {
		file = f.format // looks like one
	}
	if c.Flags().Lookup("out") != nil {
		return usageError("%s. It is the format; a file to write to is --out %s", text, file)
	}
	return usageError("%s. It is the format; the result goes to a file by > %s", text, file)
}

// printer writes results to stdout, and hints, which may be missing, to stderr.
type printer struct {
	outputFlags
	out, err io.Writer
}

func (f outputFlags) printer(c *cobra.Command) *printer {
	return &printer{outputFlags: f, out: c.OutOrStdout(), err: c.ErrOrStderr()}
}

// isTerminal says that a stream is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// decorated says that a stream may carry colours: a terminal that wants them
// (no-color.org).
func decorated(stream any) bool {
	return isTerminal(stream) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// human says that results are for people.
func (p *printer) human() bool { return p.format == "table" }

// hint writes a line for people beside the result.
func (p *printer) hint(format string, args ...any) {
	if !p.quiet && isTerminal(p.err) {
		fmt.Fprintf(p.err, format+"\n", args...)
	}
}

// value writes one result: v for programs, what table writes for people.
func (p *printer) value(v any, table func(w io.Writer)) error {
	var b bytes.Buffer
	switch p.format {
	case "json":
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		b.Write(append(text, '\n'))
	case "jsonl":
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		b.Write(append(text, '\n'))
	case "yaml":
		if err := writeYAML(&b, v); err != nil {
			return err
		}
	default:
		table(&b)
	}
	_, err := p.out.Write(b.Bytes())
	return err
}

// rows writes a list: one object with everything for json and yaml, one line an
// item for jsonl, a table with a header for people, of which --quiet leaves the
// first column.
func (p *printer) rows(all any, items []any, header []string, cells [][]string) error {
	if p.format != "jsonl" {
		return p.value(all, func(w io.Writer) { p.table(w, header, cells) })
	}
	for _, item := range items {
		if err := p.value(item, nil); err != nil {
			return err
		}
	}
	return nil
}

// table writes aligned columns.
func (p *printer) table(w io.Writer, header []string, cells [][]string) {
	if p.quiet {
		for _, row := range cells {
			fmt.Fprintln(w, row[0])
		}
		return
	}
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, row := range cells {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // into memory
	for i, line := range strings.SplitAfter(b.String(), "\n") {
		line = trimLine(line)
		if i == 0 && decorated(p.out) {
			line = "\x1b[1m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
		}
		fmt.Fprint(w, line)
	}
}

// fields writes names and values under each other; empty values are left out.
func fields(w io.Writer, pairs ...string) {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", pairs[i], printable(pairs[i+1]))
		}
	}
	_ = t.Flush() // into memory
	for _, line := range strings.SplitAfter(b.String(), "\n") {
		fmt.Fprint(w, trimLine(line))
	}
}

// trimLine drops the blanks before a line's end.
func trimLine(line string) string {
	if !strings.HasSuffix(line, "\n") {
		return line
	}
	return strings.TrimRight(line, " \n") + "\n"
}

// printable is text of others, safe on one line of a terminal: tabs and line ends are blanks, and what else steers a
// terminal, or turns the direction of the text round, is shown as an escape.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case steers(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// steers says that a character does more to a line than to be on it.
func steers(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// writeYAML writes v as YAML with the names and the order of its JSON.
func writeYAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	plainStyle(&node)
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return err
	}
	return e.Close()
}

// plainStyle takes JSON's brackets and quotes off.
func plainStyle(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 || n.Kind == yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		plainStyle(c)
	}
}
