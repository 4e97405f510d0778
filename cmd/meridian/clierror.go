package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of every verb.
const (
	exitDone         = 0
	exitFailed       = 1
	exitUsage        = 2
	exitNotFound     = 3
	exitDenied       = 4
	exitUnavailable  = 5 // no node answers, or the node is sealed or has no leader
	exitVerification = 6
	exitFailedRows   = 7
	exitInterrupted  = 130 // safe to resume
)

// exitError is an error that knows the exit code of the process.
type exitError struct {
	code int
	err  error
}

// Error is empty for an exitError without an error inside: somebody else (a
// child process) has said everything already.
func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// ExitCode is the exit code of the process that ends with this error.
func (e *exitError) ExitCode() int { return e.code }

// usageError is a mistake in the command line: exit code 2.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// reportError prints one line for err on w, unless there is nothing to say, and
// returns the exit code of the process.
func reportError(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w, "meridian: "+printable(strings.ReplaceAll(text, "\n", "; ")))
	}
	return exitOf(err)
}

// markUsageErrors makes every mistake that cobra finds in a command line below
// root a usage error.
func markUsageErrors(root *cobra.Command) {
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if words := c.Flags().Args(); len(words) > 0 && isGroup(c) {
			return unknownCommand(c, words[0]) // the flag is that verb's
		}
		return usageError("%w; see %s --help", err, c.CommandPath())
	})
	markArgs(root)
}

// groupAnnotation marks verbs that do nothing themselves.
const groupAnnotation = "meridian-group"

func isGroup(c *cobra.Command) bool {
	_, group := c.Annotations[groupAnnotation]
	return group
}

func markArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	c.SuggestFor = otherWords[c.Name()]
	if c.HasSubCommands() && c.Run == nil && c.RunE == nil {
		// Without this cobra prints help and succeeds on a misspelt verb.
		c.Annotations = map[string]string{groupAnnotation: ""}
		check = nil
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownCommand(c, args[0])
		}
	}
	if check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			var exit *exitError
			switch {
			case errors.As(err, &exit):
				return err
			case err != nil:
				return usageError("%w; see %s --help", err, c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		markArgs(sub)
	}
}
