package main

import "github.com/spf13/cobra"

func newAliasCommand() *cobra.Command {
	return &cobra.Command{Use: "alias", Short: "Create, move, list and delete aliases"}
}
