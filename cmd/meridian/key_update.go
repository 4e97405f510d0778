package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newKeyUpdateCommand(v *clientVerb) *cobra.Command {
	var description string
	var dryRun bool
	c := &cobra.Command{
		Use:   "update KEY --description TEXT",
		Short: "Change the description of a key",
		Example: `  meridian key update alias/payments --description "card numbers, team blue"
  meridian key update alias/payments --description ""`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		if !c.Flags().Changed("description") {
			return usageError(`--description TEXT is missing; "" takes the description away`)
		}
		id, err := s.keyID(ctx, args[0])
		if err != nil {
			return err
		}
		if dryRun && !s.explain {
			k, err := s.describe(ctx, id)
			if err == nil {
				err = refuseStates(k, "update", "PendingDeletion")
			}
			if err != nil {
				return err
			}
			return s.wouldBe("updated", k.ID)
		}
		resp, err := s.call(ctx, "UpdateKeyDescription", map[string]string{"KeyId": id, "Description": description}, nil)
		if err != nil {
			return err
		}
		return s.changed(change{Done: "updated", Key: id, answered: answeredBy(resp)}, fmt.Sprintf("key %s is updated", id))
	})
	c.Flags().StringVar(&description, "description", "", "`TEXT` that says what the key is for; empty: none")
	addDryRun(c, &dryRun)
	return c
}
