package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// otherWords are what people type for a verb that has another name here.
var otherWords = map[string][]string{
	"create":        {"add", "make", "new"},
	"delete":        {"remove", "rm", "destroy"},
	"describe":      {"show", "get", "info"},
	"export-public": {"public-key", "public"},
	"list":          {"ls"},
	"protect":       {"unprotect"},
	"put":           {"set", "update"},
	"rotate":        {"rotation"},
	"tag":           {"tags", "untag"},
	"retarget":      {"move", "update", "set", "point"},
	"server":        {"serve", "start", "run"},
	"undelete":      {"restore", "cancel"},
	"update":        {"edit", "change", "description"},
}

// suggestionDistance is how many letters a verb may be away from what was typed.
const suggestionDistance = 2

// unknownCommand is the usage error for a word that is no verb of c.
func unknownCommand(c *cobra.Command, word string) error {
	text := fmt.Sprintf("unknown command %q for %q", word, c.CommandPath())
	if likely := suggestions(c, word); len(likely) > 0 {
		text += ", did you mean " + strings.Join(likely, " or ") + "?"
	}
	return usageError("%s; see %s --help", text, c.CommandPath())
}

// suggestions are the verbs of c that a word may mean; without any, those of
// the whole tree that are called so.
func suggestions(c *cobra.Command, word string) []string {
	c.SuggestionsMinimumDistance = suggestionDistance
	var likely []string
	for _, name := range c.SuggestionsFor(word) {
		likely = append(likely, c.CommandPath()+" "+name)
	}
	if len(likely) == 0 {
		likely = verbsCalled(c.Root(), word)
	}
	return likely
}

func verbsCalled(c *cobra.Command, word string) (found []string) {
	for _, sub := range c.Commands() {
		if strings.EqualFold(sub.Name(), word) && sub.IsAvailableCommand() {
			found = append(found, sub.CommandPath())
		}
		found = append(found, verbsCalled(sub, word)...)
	}
	return found
}

// noArgs refuses arguments. Cobra's own calls them unknown commands, on verbs
// that have none.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case c.HasAvailableSubCommands():
		return unknownCommand(c, args[0])
	}
	return fmt.Errorf("%q is one word too many: %s takes flags alone", args[0], c.CommandPath())
}
