package main

import (
	"context"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

func newKeyCommand() *cobra.Command {
	v := &clientVerb{}
	c := &cobra.Command{
		Use:   "key",
		Short: "Create, list and change keys",
		Long: `Keys are named by alias (alias/NAME), by id or by ARN; on a terminal the unique
beginning of an id is enough.`,
	}
	v.addTo(c)
	c.AddCommand(
		newKeyCreateCommand(v), newKeyListCommand(v), newKeyDescribeCommand(v), newKeyVersionsCommand(v), newKeyRotateCommand(v),
		newKeyEnableCommand(v), newKeyDisableCommand(v), newKeyDeleteCommand(v), newKeyUndeleteCommand(v), newKeyProtectCommand(v),
		newKeyUpdateCommand(v), newKeyTagCommand(v), newKeyPolicyCommand(v), newKeyExportPublicCommand(v), newKeyImportCommand(v), newKeyDeleteMaterialCommand(v),
		newKeyCensusCommand(v), newKeyRetireCommand(v),
	)
	return c
}

func newKeyListCommand(v *clientVerb) *cobra.Command {
	var states []string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys",
		Args:  noArgs,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, _ []string) error {
		return s.listKeys(ctx, states)
	})
	c.Flags().StringSliceVar(&states, "state", nil, "only keys in this `STATE`: Enabled, Disabled, PendingDeletion, PendingImport")
	return c
}

// listKeys shows all keys with state and aliases.
func (s *session) listKeys(ctx context.Context, states []string) error {
	for _, state := range states {
		if !slices.Contains([]string{"Enabled", "Disabled", "PendingDeletion", "PendingImport"}, state) {
			return usageError("--state %q: want Enabled, Disabled, PendingDeletion or PendingImport", state)
		}
	}
	var keys []keyView
	err := s.eachKey(ctx, func(id, arn string) bool {
		keys = append(keys, keyView{ID: id, ARN: arn})
		return true
	})
	if err != nil {
		return err
	}
	names := map[string][]string{}
	err = s.eachAlias(ctx, func(a aliasView) bool {
		names[a.KeyID] = append(names[a.KeyID], a.Name)
		return true
	})
	if err != nil {
		return err
	}
	if s.explain {
		return errExplained // and one DescribeKey for each key that is listed
	}
	if keys, err = s.describeAll(ctx, keys, names); err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k keyView) bool {
		return k.ID == "" || len(states) > 0 && !slices.Contains(states, k.State)
	})
	return s.writeKeys(keys)
}

func (s *session) writeKeys(keys []keyView) error {
	all := keyList{append([]keyView{}, keys...), len(keys)}
	items := make([]any, 0, len(keys))
	cells := make([][]string, 0, len(keys))
	for _, k := range keys {
		items = append(items, k)
		cells = append(cells, []string{k.ID, k.State, k.Spec, day(k.Created), joinShort(k.Aliases, 3), printable(cut(k.Description, 40))})
	}
	return s.rows(all, items, []string{"KEY", "STATE", "SPEC", "CREATED", "ALIASES", "DESCRIPTION"}, cells)
}

func newKeyDescribeCommand(v *clientVerb) *cobra.Command {
	return &cobra.Command{
		Use:               "describe KEY",
		Short:             "Show a key",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
		RunE: v.run(func(ctx context.Context, s *session, args []string) error {
			ref, err := s.keyRef(ctx, args[0])
			if err != nil {
				return err
			}
			k, err := s.describe(ctx, ref)
			if err != nil {
				return err
			}
			if k.Aliases, err = s.aliasesOf(ctx, k.ID); err != nil {
				return err
			}
			return s.showKey(k)
		}),
	}
}

// day is the date of an API time.
func day(t string) string { return cutBytes(t, len("2006-01-02")) }

func cutBytes(s string, n int) string { return s[:min(n, len(s))] }

// cut shortens text to n characters.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// joinShort joins the first n names and counts the rest.
func joinShort(names []string, n int) string {
	text := ""
	for i, name := range names {
		if i == n {
			return text + " +" + strconv.Itoa(len(names)-n)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}
