package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionTimeout bounds what a shell waits for when it asks for keys.
const completionTimeout = 2 * time.Second

func newCompletionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script of a shell",
		Long: `Prints a script that completes verbs, flags, and the keys and aliases of the
region that the command line would call.`,
		Example: `  source <(meridian completion bash)
  meridian completion zsh > "${fpath[1]}/_meridian"
  meridian completion fish > ~/.config/fish/completions/meridian.fish`,
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs:             []cobra.Completion{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			out := c.OutOrStdout()
			switch args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return c.Root().GenZshCompletion(out)
			case "fish":
				return c.Root().GenFishCompletion(out, true)
			default:
				return c.Root().GenPowerShellCompletionWithDesc(out)
			}
		},
	}
}

// completeKeys asks the region for aliases and key ids, as a verb's only
// argument. Nothing is offered where that fails: a shell has no place for it.
func (v *clientVerb) completeKeys(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return v.complete(c, args, toComplete, true)
}

// completeAliases is completeKeys for aliases alone.
func (v *clientVerb) completeAliases(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return v.complete(c, args, toComplete, false)
}

// completeKeyFlag is completeKeys for a flag.
func (v *clientVerb) completeKeyFlag(c *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return v.completeKeys(c, nil, toComplete)
}

func (v *clientVerb) complete(c *cobra.Command, args []string, toComplete string, ids bool) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return v.ask(c, func(ctx context.Context, s *session) ([]cobra.Completion, error) {
		return s.completions(ctx, toComplete, ids)
	})
}

// completeOfKey completes a flag with what list knows of the key that the command
// line names, as its first argument or by --key.
func (v *clientVerb) completeOfKey(list func(s *session, ctx context.Context, id string) ([]cobra.Completion, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		key := ""
		if f := c.Flags().Lookup("key"); f != nil {
			key = f.Value.String()
		} else if len(args) > 0 {
			key = args[0]
		}
		if key == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return v.ask(c, func(ctx context.Context, s *session) ([]cobra.Completion, error) {
			id, err := s.keyID(ctx, key)
			if err != nil {
				return nil, err
			}
			return list(s, ctx, id)
		})
	}
}

// ask asks the region for completions, for as long as a shell waits.
func (v *clientVerb) ask(c *cobra.Command, question func(ctx context.Context, s *session) ([]cobra.Completion, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	s, err := v.open(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	defer s.client.Close()
	s.explain = false // what is completed may have the flag
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	found, err := question(ctx, s)
	if err != nil && len(found) == 0 {
		return nil, cobra.ShellCompDirectiveError
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// maxCompletions is what a shell can still show.
const maxCompletions = 200

func (s *session) completions(ctx context.Context, toComplete string, ids bool) ([]cobra.Completion, error) {
	var found []cobra.Completion
	err := s.eachAlias(ctx, func(a aliasView) bool {
		if strings.HasPrefix(a.Name, toComplete) {
			found = append(found, cobra.CompletionWithDesc(a.Name, "key "+a.KeyID))
		}
		return len(found) < maxCompletions
	})
	if err != nil || !ids || strings.HasPrefix(toComplete, "alias/") {
		return found, err
	}
	pages := 0
	err = s.eachKey(ctx, func(id, _ string) bool {
		if strings.HasPrefix(id, strings.ToLower(toComplete)) {
			found = append(found, cobra.Completion(id))
		}
		pages++
		return len(found) < maxCompletions && pages < 20*listPage
	})
	return found, err
}
