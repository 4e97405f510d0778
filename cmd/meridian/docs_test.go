package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"meridian/cmd/meridian/config"
)

// The page of settings is what the program itself says.
func TestConfigurationPageIsComplete(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, opened := strings.Cut(string(page), "```yaml\n")
	block, _, closed := strings.Cut(rest, "```\n")
	if !opened || !closed {
		t.Fatal("docs/configuration.md has no yaml block")
	}
	var defaults bytes.Buffer
	if err := config.WriteDefaults(&defaults); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaults.String(), block); diff != "" {
		t.Errorf("docs/configuration.md differs from `meridian config show --defaults` (-program +page):\n%s", diff)
	}
}

// The programs that "meridian dev snippets" prints are those of the README,
// which the CI runs.
func TestSnippetsAreTheReadmes(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for block, file := range map[string]string{"go-v3": "go-v3.go", "go-classic": "go-classic.go", "node": "node.js"} {
		_, rest, _ := strings.Cut(string(readme), "<!-- ci: "+block+" -->\n```")
		_, rest, opened := strings.Cut(rest, "\n")
		want, _, closed := strings.Cut(rest, "```\n")
		got, err := snippetFiles.ReadFile("snippets/" + file + ".txt")
		if err != nil || !opened || !closed {
			t.Fatalf("%s: %v, block found: %t", file, err, opened && closed)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("snippets/%s.txt differs from the README's block %s (-README +snippet):\n%s", file, block, diff)
		}
	}
	var printed bytes.Buffer
	region := readyRegion{ID: "r", Endpoints: []string{"https://h:1"}, HTTPEndpoints: []string{"http://h:2"}}
	if err := writeSnippets(&printed, region); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"meridian dev env --region r", "    package main\n", "require('@alicloud/pop-core')", "--endpoint h:2 --insecure"} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("%q is missing in what is printed", want)
		}
	}
}
