package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// confirmFlags stand on every verb that takes something away.
type confirmFlags struct {
	yes    bool
	reason string
	dryRun bool
}

func (f *confirmFlags) addTo(c *cobra.Command) {
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask; needs --reason")
	c.Flags().StringVar(&f.reason, "reason", "", "`TEXT` that says why, for the record")
	addDryRun(c, &f.dryRun)
}

func addDryRun(c *cobra.Command, to *bool) {
	c.Flags().BoolVar(to, "dry-run", false, "say what would be done, and do nothing")
}

// params adds the reason to the parameters of a request. The API has no such
// parameter and ignores it; it is signed, and so is part of what an audit trail
// may record.
func (f *confirmFlags) params(p map[string]string) map[string]string {
	if f.reason != "" {
		p["Reason"] = f.reason
	}
	return p
}

// check refuses a run that could never be confirmed, before anything is sent.
func (f *confirmFlags) check(s *session) error {
	switch {
	case f.yes && f.reason == "":
		return usageError("--yes needs --reason TEXT")
	case !f.yes && !f.dryRun && !s.explain && !isTerminal(s.in):
		return usageError("this wants a confirmation: run it on a terminal, or give --yes --reason TEXT")
	}
	return nil
}

// preview says whether to show what is about to be changed: before a question,
// and otherwise where somebody reads it.
func (f *confirmFlags) preview(s *session) bool {
	if s.explain {
		return false
	}
	return !f.yes && !f.dryRun || !s.quiet && s.human() && (f.dryRun || isTerminal(s.err))
}

// confirm wants name typed, or --yes. doing is such as "disable it".
func (f *confirmFlags) confirm(s *session, name, doing string) error {
	if f.yes || s.explain {
		return nil
	}
	fmt.Fprintf(s.err, "\nType %s to %s: ", name, doing)
	line, err := bufio.NewReader(s.in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != name {
		return &exitError{exitFailed, errors.New("that is something else; nothing was changed")}
	}
	return nil
}

// askTerminal asks a question that y answers, on the terminal itself where stdin
// carries data.
func askTerminal(s *session, question string) (bool, error) {
	in := s.in
	if !isTerminal(in) {
		tty, err := os.Open("/dev/tty")
		if err != nil {
			return false, nil // nobody to ask
		}
		defer tty.Close()
		in = tty
	}
	fmt.Fprintf(s.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
