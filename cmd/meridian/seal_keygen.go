package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"meridian/crypto/seal"
)

func newSealCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "seal",
		Short: "Root keys",
	}
	c.AddCommand(newSealKeygenCommand())
	return c
}

func newSealKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen PATH",
		Short: "Make a root key file",
		Long: `Makes a new root key and writes it to PATH, readable by you alone. An existing
file is never overwritten: data sealed under it would be lost.

Every node of a region needs the same root key. Keep a copy in a safe place, and
not beside backups of the data.`,
		Example: "  meridian seal keygen /etc/meridian/root.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := seal.GenerateFile(args[0]); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "A new root key is in %s. Without it the region's data cannot be opened: keep a copy.\n", args[0])
			return nil
		},
	}
}
