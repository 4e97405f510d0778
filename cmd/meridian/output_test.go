package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"go.yaml.in/yaml/v3"
)

// YAML says what JSON says, in the same order, whatever is in the texts.
func TestYAMLIsTheJSON(t *testing.T) {
	v := struct {
		B string         `json:"b"`
		A []any          `json:"a"`
		E []string       `json:"e"`
		M map[string]int `json:"m"`
	}{"true", []any{"1", 1, nil, "a: b\n- c", "# x", "", " y ", "null", 1.5, "0x10", "2026-11-24T08:00:00Z", "ä"}, []string{}, map[string]int{}}
	var out strings.Builder
	if err := writeYAML(&out, v); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "b: \"true\"\na:\n") {
		t.Errorf("not in order, or not in block style:\n%s", out.String())
	}
	var back any
	if err := yaml.Unmarshal([]byte(out.String()), &back); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	got, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	var gotAny any
	if err := json.Unmarshal(got, &gotAny); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, gotAny); diff != "" {
		t.Errorf("(-json +yaml):\n%s", diff)
	}
}

// Text of others cannot steer a terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[31mb\r\nc\u009bd é 漢":    `a\u001b[31mb  c\u009bd é 漢`,
		"row\u202e7\u2066\u061c\u2029.": `row\u202e7\u2066\u061c\u2029.`,
		"a\xffb שלום":                   "a\uFFFDb שלום",
		"\xff\x00":                      `�\u0000`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// Every verb has a text, flags of its own help, a manual page, and no flag that
// takes a secret as its value.
func TestEveryVerbIsDocumented(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" && !c.Hidden {
			t.Errorf("%s has no text", c.CommandPath())
		}
		for _, name := range []string{"secret", "access-key-secret", "password", "token"} {
			if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
				t.Errorf("%s has a flag --%s", c.CommandPath(), name)
			}
		}
		var page strings.Builder
		if err := doc.GenMan(c, &doc.GenManHeader{Section: "1"}, &page); err != nil || !strings.Contains(page.String(), ".SH NAME") {
			t.Errorf("%s: manual page: %v", c.CommandPath(), err)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot())
}
