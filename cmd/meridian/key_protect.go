package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

func newKeyProtectCommand(v *clientVerb) *cobra.Command {
	var description string
	var off, dryRun bool
	c := &cobra.Command{
		Use:   "protect KEY",
		Short: "Protect a key from being deleted",
		Long: `A protected key cannot be deleted, by anybody, until the protection is off. It can
still be disabled, and "meridian key delete-material" still destroys imported
material.`,
		Example: `  meridian key protect alias/payments --description "holds the card numbers"
  meridian key protect alias/payments --off`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		if off && description != "" {
			return usageError("--description says why a key is protected; leave it out with --off")
		}
		id, err := s.keyID(ctx, args[0])
		if err != nil {
			return err
		}
		done := "protected"
		if off {
			done = "no longer protected"
		}
		if dryRun && !s.explain {
			k, err := s.describe(ctx, id)
			if err == nil {
				err = refuseStates(k, "protect", "PendingDeletion")
			}
			if err != nil {
				return err
			}
			return s.wouldBe(done, k.ID)
		}
		params := map[string]string{"KeyId": id, "EnableDeletionProtection": strconv.FormatBool(!off)}
		if description != "" {
			params["DeletionProtectionDescription"] = description
		}
		resp, err := s.call(ctx, "SetDeletionProtection", params, nil)
		if err != nil {
			return err
		}
		return s.changed(change{Done: done, Key: id, answered: answeredBy(resp)}, fmt.Sprintf("key %s is %s", id, done))
	})
	c.Flags().BoolVar(&off, "off", false, "take the protection away")
	c.Flags().StringVar(&description, "description", "", "`TEXT` that says why it is protected")
	addDryRun(c, &dryRun)
	return c
}
