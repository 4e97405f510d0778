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
