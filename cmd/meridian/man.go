package main

import "github.com/spf13/cobra"

func newManCommand() *cobra.Command {
	return &cobra.Command{Use: "man", Short: "Print the manual page, or write all of them"}
}
