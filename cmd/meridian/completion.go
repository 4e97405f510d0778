package main

import "github.com/spf13/cobra"

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{Use: "completion", Short: "Print shell completion"}
}
