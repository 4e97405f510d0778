package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// maxPolicyBytes is the longest policy of a key (API page SetKeyPolicy).
const maxPolicyBytes = 32768

// policyView is the result of `meridian key policy get`.
type policyView struct {
	KeyID  string `json:"key_id"`
	Policy string `json:"policy"` // JSON, as it was put
	answered
}

func newKeyPolicyCommand(v *clientVerb) *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Show and replace the policy of a key"}
	c.AddCommand(newKeyPolicyGetCommand(v), newKeyPolicyPutCommand(v))
	return c
}

func newKeyPolicyGetCommand(v *clientVerb) *cobra.Command {
	var file dataFlags
	c := &cobra.Command{
		Use:               "get KEY",
		Short:             "Show the policy of a key",
		Example:           `  meridian key policy get alias/payments > policy.json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		id, err := s.keyID(ctx, args[0])
		if err != nil {
			return err
		}
		var answer struct{ Policy string }
		resp, err := s.call(ctx, "GetKeyPolicy", map[string]string{"KeyId": id}, &answer)
		if err != nil {
			return err
		}
		return file.writeResult(s, policyView{id, answer.Policy, answeredBy(resp)}, func(w io.Writer) {
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, []byte(answer.Policy), "", "  "); err != nil {
				pretty.WriteString(answer.Policy) // another service's
			}
			for line := range strings.Lines(pretty.String()) {
				if line = strings.TrimSuffix(line, "\n"); isTerminal(s.out) {
					line = printable(line)
				}
				fmt.Fprintln(w, line)
			}
		})
	})
	file.addOutTo(c)
	return c
}

func newKeyPolicyPutCommand(v *clientVerb) *cobra.Command {
	var file dataFlags
	var dryRun bool
	c := &cobra.Command{
		Use:   "put KEY",
		Short: "Replace the policy of a key",
		Long: `Replaces the policy of a key by one from a file or stdin: JSON, up to 32768 bytes.
The region judges what is in it.`,
		Example:           `  meridian key policy put alias/payments --in policy.json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		policy, err := file.readPolicy(s)
		if err != nil {
			return err
		}
		id, err := s.keyID(ctx, args[0])
		if err != nil {
			return err
		}
		if dryRun && !s.explain {
			k, err := s.describe(ctx, id)
			if err == nil {
				err = refuseStates(k, "put policy", "PendingDeletion")
			}
			if err != nil {
				return err
			}
			return s.wouldDo("replace", "the policy of key "+k.ID, "")
		}
		resp, err := s.call(ctx, "SetKeyPolicy", map[string]string{"KeyId": id, "Policy": policy}, nil)
		if err != nil {
			return err
		}
		return s.changed(change{Done: "policy replaced", Key: id, answered: answeredBy(resp)}, fmt.Sprintf("key %s has the policy", id))
	})
	file.addInTo(c)
	addDryRun(c, &dryRun)
	return c
}

// readPolicy reads the text of a policy.
func (f *dataFlags) readPolicy(s *session) (string, error) {
	text, err := f.readStream(s, "the policy", maxPolicyBytes)
	switch {
	case err != nil:
		return "", err
	case len(text) > maxPolicyBytes:
		return "", usageError("the policy is longer than %d bytes", maxPolicyBytes)
	case !json.Valid(text):
		return "", usageError("the policy is no JSON: %w", json.Unmarshal(text, new(any)))
	}
	return string(bytes.TrimSpace(text)), nil
}
