package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Bounds of the days between `key delete` and the end of a key (API page
// ScheduleKeyDeletion).
const (
	minDeletionDays     = 7
	maxDeletionDays     = 366
	defaultDeletionDays = 30
)

// change is what a verb did to a key, or would do.
type change struct {
	Done    string `json:"done"` // enabled, disabled, ... ; would ... in a dry run
	Key     string `json:"key_id,omitempty"`
	Version string `json:"key_version_id,omitempty"`
	Alias   string `json:"alias,omitempty"`
	State   string `json:"state,omitempty"`
	At      string `json:"delete_at,omitempty"`
	Expires string `json:"material_expires,omitempty"`
	Reason  string `json:"reason,omitempty"`
	answered
}

// wouldDo is the result of a dry run.
func (s *session) wouldDo(verb, what, alias string) error {
	return s.value(change{Done: "would " + verb, Alias: alias}, func(w io.Writer) {
		fmt.Fprintf(w, "would %s %s; nothing was done\n", verb, strings.TrimSpace(what+" "+alias))
	})
}

// wouldBe is the result of a dry run after which a key would be something else.
func (s *session) wouldBe(done, id string) error {
	return s.value(change{Done: "would be " + done, Key: id}, func(w io.Writer) {
		fmt.Fprintf(w, "key %s would be %s; nothing was done\n", id, done)
	})
}

func (s *session) changed(c change, text string) error {
	return s.value(c, func(w io.Writer) {
		if s.quiet {
			fmt.Fprintln(w, c.Key)
			return
		}
		fmt.Fprintln(w, text)
	})
}

func newKeyEnableCommand(v *clientVerb) *cobra.Command {
	return newKeySimpleCommand(v, "enable", "Make a disabled key usable again", "EnableKey", "enabled", "Enabled",
		func(k keyView) error { return refuseStates(k, "enable", "PendingDeletion", "PendingImport") })
}

func newKeyUndeleteCommand(v *clientVerb) *cobra.Command {
	return newKeySimpleCommand(v, "undelete", "Keep a key that waits to be deleted", "CancelKeyDeletion", "kept", "",
		func(k keyView) error { return refuseStates(k, "undelete", "Enabled", "Disabled", "PendingImport") })
}

// refuseStates is what a dry run says about a key in one of these states.
func refuseStates(k keyView, verb string, states ...string) error {
	for _, state := range states {
		if k.State == state {
			return &exitError{exitFailed, fmt.Errorf("key %s is %s; %s is not possible then", k.ID, k.State, verb)}
		}
	}
	return nil
}

// newKeySimpleCommand is a verb that changes the state of a key and takes
// nothing away.
func newKeySimpleCommand(v *clientVerb, verb, short, action, done, state string, check func(keyView) error) *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:               verb + " KEY",
		Short:             short,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		id, err := s.keyID(ctx, args[0])
		if err != nil {
			return err
		}
		if dryRun && !s.explain {
			k, err := s.describe(ctx, id)
			if err == nil {
				err = check(k)
			}
			if err != nil {
				return err
			}
			return s.wouldDo(verb, "key "+k.ID, "")
		}
		resp, err := s.call(ctx, action, map[string]string{"KeyId": id}, nil)
		if err != nil {
			return err
		}
		return s.changed(change{Done: done, Key: id, State: state, answered: answeredBy(resp)}, fmt.Sprintf("key %s is %s", id, done))
	})
	addDryRun(c, &dryRun)
	return c
}

func newKeyDisableCommand(v *clientVerb) *cobra.Command {
	var f confirmFlags
	c := &cobra.Command{
		Use:               "disable KEY",
		Short:             "Make a key unusable until it is enabled",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
		Example: `  meridian key disable alias/payments
  meridian key disable alias/payments --yes --reason "leak drill"`,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		return s.takeAway(ctx, &f, args[0], takeAway{
			verb: "disable", action: "DisableKey", done: "disabled", state: "Disabled", typed: "disable it",
			lines:   []string{"  takes effect", "on every node when this command returns; nothing is lost: meridian key enable"},
			refused: []string{"PendingDeletion", "PendingImport"},
		})
	})
	f.addTo(c)
	return c
}

func newKeyDeleteCommand(v *clientVerb) *cobra.Command {
	var f confirmFlags
	days := defaultDeletionDays
	c := &cobra.Command{
		Use:   "delete KEY",
		Short: "Destroy a key after a number of days",
		Long: `The key is unusable at once and destroyed, with its material and aliases, after
the number of days. What was encrypted under it is then lost for good. Until
then "meridian key undelete" keeps it.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		if days < minDeletionDays || days > maxDeletionDays {
			return usageError("--days is %d; take %d to %d", days, minDeletionDays, maxDeletionDays)
		}
		at := time.Now().UTC().AddDate(0, 0, days).Format("2006-01-02T15:04:05Z")
		return s.takeAway(ctx, &f, args[0], takeAway{
			verb: "delete", action: "ScheduleKeyDeletion", done: "waiting to be deleted", state: "PendingDeletion", typed: "delete it",
			params: map[string]string{"PendingWindowInDays": strconv.Itoa(days)},
			at:     at,
			lines: []string{"  unusable", "on every node when this command returns", "  destroyed", day(at) + ", with all that is encrypted under it",
				"  until then", "meridian key undelete"},
			refused: []string{"PendingDeletion"}, check: unprotected,
		})
	})
	f.addTo(c)
	c.Flags().IntVar(&days, "days", defaultDeletionDays, "destroy it after this many days, 7 to 366")
	return c
}

// unprotected refuses a key that cannot be deleted.
func unprotected(k keyView) error {
	if k.DeletionProtection == "Enabled" {
		return &exitError{exitFailed, fmt.Errorf("key %s is protected from being deleted; take that away first: meridian key protect %s --off", k.ID, k.ID)}
	}
	return nil
}

// takeAway is a verb that takes a key away, for a time or for good.
type takeAway struct {
	verb, action, done, state, typed string
	params                           map[string]string
	at                               string              // when it is destroyed
	lines                            []string            // of the preview
	refused                          []string            // states in which it is not possible
	check                            func(keyView) error // what else is not possible; may be nil
}

// takeAway shows what a key is, wants it confirmed, and carries the verb out.
func (s *session) takeAway(ctx context.Context, f *confirmFlags, ref string, verb takeAway) error {
	if err := f.check(s); err != nil {
		return err
	}
	ref, err := s.keyRef(ctx, ref)
	if err != nil {
		return err
	}
	k, err := s.describe(ctx, ref)
	if err != nil {
		return err
	}
	if err := refuseStates(k, verb.verb, verb.refused...); err != nil {
		return err
	}
	if verb.check != nil && !s.explain {
		if err := verb.check(k); err != nil {
			return err
		}
	}
	if k.Aliases, err = s.aliasesOf(ctx, k.ID); err != nil {
		return err
	}
	if f.preview(s) {
		k.preview(s.err, ref, verb.lines...)
	}
	if f.dryRun && !s.explain {
		return s.wouldDo(verb.verb, "key "+k.ID, "")
	}
	if err := f.confirm(s, ref, verb.typed); err != nil {
		return err
	}
	params := f.params(map[string]string{"KeyId": k.ID})
	for name, value := range verb.params {
		params[name] = value
	}
	resp, err := s.call(ctx, verb.action, params, nil)
	if err != nil {
		return err
	}
	return s.changed(change{Done: verb.done, Key: k.ID, State: verb.state, At: verb.at, Reason: f.reason, answered: answeredBy(resp)},
		fmt.Sprintf("key %s is %s", k.ID, verb.done))
}

// exitOf is the exit code that an error carries.
func exitOf(err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}

// failAfter says what was done before an error.
func failAfter(err error, format string, args ...any) error {
	return &exitError{exitOf(err), fmt.Errorf(format+"%w", append(args, err)...)}
}
