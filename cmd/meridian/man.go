package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newManCommand() *cobra.Command {
	var dir string
	var schema bool
	c := &cobra.Command{
		Use:   "man [VERB...]",
		Short: "Show a manual page, or write all of them",
		Example: `  meridian man key disable
  meridian man --dir /usr/local/share/man/man1`,
		RunE: func(c *cobra.Command, args []string) error {
			if schema {
				return writeSchema(c.OutOrStdout())
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Section: "1", Source: "meridian " + release, Manual: "Meridian", Date: &time.Time{}}
			if dir != "" {
				if len(args) > 0 {
					return usageError("--dir writes all pages; leave out %q", strings.Join(args, " "))
				}
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
				return doc.GenManTree(root, header, dir)
			}
			verb, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return &exitError{exitNotFound, fmt.Errorf("there is no verb %q; see %s --help", strings.Join(args, " "), root.Name())}
			}
			header.Title = strings.ToUpper(strings.ReplaceAll(verb.CommandPath(), " ", "-"))
			var page bytes.Buffer
			if err := doc.GenMan(verb, header, &page); err != nil {
				return err
			}
			return showPage(c, page.Bytes())
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write the pages of all verbs into this `DIR`")
	c.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of what verbs print under --output json")
	_ = c.MarkFlagDirname("dir") // the flag is there
	return c
}

// showPage hands a page to man on a terminal, and prints its source elsewhere.
func showPage(c *cobra.Command, page []byte) error {
	if man, err := exec.LookPath("man"); err == nil && isTerminal(c.OutOrStdout()) {
		show := exec.CommandContext(c.Context(), man, "-l", "-")
		show.Stdin, show.Stdout, show.Stderr = bytes.NewReader(page), os.Stdout, os.Stderr
		return show.Run()
	}
	_, err := c.OutOrStdout().Write(page)
	return err
}
