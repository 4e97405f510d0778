package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// aliasView is an alias as the command line shows it.
type aliasView struct {
	Name  string `json:"alias"`
	ARN   string `json:"arn"`
	KeyID string `json:"key_id"`
}

// aliasList is the result of `meridian alias list`.
type aliasList struct {
	Aliases []aliasView `json:"aliases"`
	Total   int         `json:"total"`
}

func newAliasCommand() *cobra.Command {
	v := &clientVerb{}
	c := &cobra.Command{Use: "alias", Short: "Create, move, list and delete aliases"}
	v.addTo(c)
	c.AddCommand(newAliasCreateCommand(v), newAliasRetargetCommand(v), newAliasListCommand(v), newAliasDeleteCommand(v))
	return c
}

// aliasName takes NAME for alias/NAME, and an ARN of this form for its name.
func aliasName(text string) (string, error) {
	switch i := strings.Index(text, ":alias/"); {
	case strings.HasPrefix(text, "acs:kms:") && i > 0:
		return text[i+1:], nil
	case strings.HasPrefix(text, "alias/"):
		return text, nil
	}
	return "", usageError("%q is no alias; did you mean alias/%s?", text, text)
}

func newAliasCreateCommand(v *clientVerb) *cobra.Command {
	return newAliasPointCommand(v, "create", "Give a key a name", "CreateAlias", "created")
}

func newAliasRetargetCommand(v *clientVerb) *cobra.Command {
	return newAliasPointCommand(v, "retarget", "Point a name at another key", "UpdateAlias", "moved")
}

// newAliasPointCommand is a verb that points a name at a key.
func newAliasPointCommand(v *clientVerb, verb, short, action, done string) *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   verb + " ALIAS KEY",
		Short: short,
		Args:  cobra.ExactArgs(2),
		ValidArgsFunction: func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch {
			case len(args) == 0 && verb == "retarget":
				return v.completeAliases(c, args, toComplete)
			case len(args) == 1:
				return v.completeKeys(c, nil, toComplete)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		name, err := aliasName(args[0])
		if err != nil {
			return err
		}
		id, err := s.keyID(ctx, args[1])
		if err != nil {
			return err
		}
		if dryRun && !s.explain {
			return s.dryRunPoint(ctx, verb, name, id)
		}
		resp, err := s.call(ctx, action, map[string]string{"AliasName": name, "KeyId": id}, nil)
		if err != nil {
			return err
		}
		return s.changed(change{Done: done, Alias: name, Key: id, answered: answeredBy(resp)}, fmt.Sprintf("%s names key %s", name, id))
	})
	addDryRun(c, &dryRun)
	return c
}

// dryRunPoint says what create or retarget would do.
func (s *session) dryRunPoint(ctx context.Context, verb, name, id string) error {
	k, err := s.describe(ctx, id)
	if err != nil {
		return err
	}
	if err := refuseStates(k, verb+" alias", "PendingDeletion"); err != nil {
		return err
	}
	old, err := s.describe(ctx, name)
	switch {
	case verb == "create" && err == nil:
		return &exitError{exitFailed, fmt.Errorf("%s exists already and names key %s; nothing was done", name, old.ID)}
	case verb == "create" && exitOf(err) == exitNotFound:
		return s.wouldDo("create "+name+" for", "key "+k.ID, "")
	case err != nil:
		return err
	}
	return s.wouldDo("move "+name+" from key "+old.ID+" to", "key "+k.ID, "")
}

func newAliasListCommand(v *clientVerb) *cobra.Command {
	return &cobra.Command{
		Use:               "list [KEY]",
		Short:             "List the aliases, all or a key's",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: v.completeKeys,
		RunE: v.run(func(ctx context.Context, s *session, args []string) error {
			action, params := "ListAliases", map[string]string{}
			if len(args) == 1 {
				id, err := s.keyID(ctx, args[0])
				if err != nil {
					return err
				}
				action, params["KeyId"] = "ListAliasesByKeyId", id
			}
			aliases := []aliasView{}
			err := s.eachAliasOf(ctx, action, params, func(a aliasView) bool {
				aliases = append(aliases, a)
				return true
			})
			if err != nil {
				return err
			}
			if s.explain {
				return errExplained
			}
			return s.writeAliases(aliases)
		}),
	}
}

func (s *session) writeAliases(aliases []aliasView) error {
	all := aliasList{aliases, len(aliases)}
	items, cells := make([]any, 0, len(aliases)), make([][]string, 0, len(aliases))
	for _, a := range aliases {
		items = append(items, a)
		cells = append(cells, []string{a.Name, a.KeyID})
	}
	return s.rows(all, items, []string{"ALIAS", "KEY"}, cells)
}

// eachAlias lists the region's aliases by name until f returns false.
func (s *session) eachAlias(ctx context.Context, f func(aliasView) bool) error {
	return s.eachAliasOf(ctx, "ListAliases", nil, f)
}

// aliasesOf is the names of a key.
func (s *session) aliasesOf(ctx context.Context, id string) ([]string, error) {
	names := []string{}
	err := s.eachAliasOf(ctx, "ListAliasesByKeyId", map[string]string{"KeyId": id}, func(a aliasView) bool {
		names = append(names, a.Name)
		return true
	})
	return names, err
}

func (s *session) eachAliasOf(ctx context.Context, action string, params map[string]string, f func(aliasView) bool) error {
	for page := 1; ; page++ {
		all := pageParams(page, listPage)
		for name, value := range params {
			all[name] = value
		}
		var answer struct {
			Aliases struct {
				Alias []struct{ AliasName, AliasArn, KeyId string }
			}
			TotalCount int
		}
		if _, err := s.send(ctx, action, all, &answer); err != nil {
			return err
		}
		for _, a := range answer.Aliases.Alias {
			if !f(aliasView{a.AliasName, a.AliasArn, a.KeyId}) {
				return nil
			}
		}
		if len(answer.Aliases.Alias) == 0 || page*listPage >= answer.TotalCount {
			return nil
		}
	}
}

func newAliasDeleteCommand(v *clientVerb) *cobra.Command {
	var f confirmFlags
	c := &cobra.Command{
		Use:               "delete ALIAS",
		Short:             "Remove a name; the key stays",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeAliases,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		name, err := aliasName(args[0])
		if err != nil {
			return err
		}
		if err := f.check(s); err != nil {
			return err
		}
		k, err := s.describe(ctx, name)
		if err != nil {
			return err
		}
		if k.Aliases, err = s.aliasesOf(ctx, k.ID); err != nil {
			return err
		}
		if f.preview(s) {
			k.preview(s.err, name, "  callers", "that use "+name+" fail once this command returns; the key stays, and what is encrypted under it")
		}
		if f.dryRun && !s.explain {
			return s.wouldDo("delete", name, "")
		}
		if err := f.confirm(s, name, "delete the alias"); err != nil {
			return err
		}
		resp, err := s.call(ctx, "DeleteAlias", f.params(map[string]string{"AliasName": name}), nil)
		if err != nil {
			return err
		}
		return s.changed(change{Done: "deleted", Alias: name, Key: k.ID, Reason: f.reason, answered: answeredBy(resp)}, name+" is deleted")
	})
	f.addTo(c)
	return c
}
