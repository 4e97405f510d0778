package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"meridian/cluster/api"
	"meridian/cluster/api/client"
	"meridian/crypto"
)

// cipherAnswer is what the crypto actions answer, each a part of it.
type cipherAnswer struct{ KeyId, KeyVersionId, CiphertextBlob, Plaintext string }

// cryptView is the result of a crypto verb for programs.
type cryptView struct {
	KeyID      string `json:"key_id"`
	Version    string `json:"key_version_id"`
	Ciphertext string `json:"ciphertext_blob,omitempty"` // Base64
	Plaintext  string `json:"plaintext,omitempty"`       // Base64
	answered
}

func (a cipherAnswer) view(r client.Response) cryptView {
	return cryptView{KeyID: a.KeyId, Version: a.KeyVersionId, Ciphertext: a.CiphertextBlob, Plaintext: a.Plaintext, answered: answeredBy(r)}
}

func newEncryptCommand() *cobra.Command {
	v := &clientVerb{}
	var data dataFlags
	var contexts []string
	var raw, dryRun bool
	c := &cobra.Command{
		Use:   "encrypt KEY [PLAINTEXT]",
		Short: "Encrypt a short plaintext under a key",
		Long: fmt.Sprintf(`Encrypts a short plaintext, byte for byte as it comes, from the argument, a file
or stdin, and writes the ciphertext as Base64. A region takes %d bytes unless
it is set to another number, at most %d. Larger data is encrypted with a data
key: meridian datakey.`, api.DefaultPlaintext, api.MaxPlaintext),
		Example: `  meridian encrypt alias/demo hello
  meridian encrypt alias/payments --in card.json --out card.enc --context app=pay`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		params := map[string]string{}
		if err := addContext(params, "EncryptionContext", contexts); err != nil {
			return err
		}
		key, err := s.keyRef(ctx, args[0])
		if err != nil {
			return err
		}
		plaintext, err := data.read(s, args[1:], "the plaintext", api.MaxPlaintext)
		if err != nil {
			return err
		}
		defer crypto.Secret(plaintext).Wipe()
		params["KeyId"], params["Plaintext"] = key, base64.StdEncoding.EncodeToString(plaintext)
		if dryRun {
			return s.dryRunCrypto(ctx, "Encrypt", params, "encrypt")
		}
		var answer cipherAnswer
		resp, err := s.call(ctx, "Encrypt", params, &answer)
		if err != nil {
			return err
		}
		return data.writeBlob(s, answer.view(resp), raw)
	})
	v.addTo(c)
	data.addTo(c)
	addContextFlag(c, &contexts)
	addRawFlag(c, &raw)
	addDryRun(c, &dryRun)
	return c
}

func newDecryptCommand() *cobra.Command {
	v := &clientVerb{}
	var data dataFlags
	var contexts []string
	var yes, dryRun bool
	c := &cobra.Command{
		Use:   "decrypt [CIPHERTEXT]",
		Short: "Decrypt a ciphertext",
		Long: `Decrypts a ciphertext, Base64 or as bytes, from the argument, a file or stdin.
It names its own key and version. The plaintext is written byte for byte; on a
terminal it is shown only after a question.`,
		Example: `  meridian decrypt < card.enc > card.json
  meridian decrypt --in card.enc --out card.json --context app=pay`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		params := map[string]string{}
		if err := addContext(params, "EncryptionContext", contexts); err != nil {
			return err
		}
		blob, err := data.readBlob(s, args)
		if err != nil {
			return err
		}
		params["CiphertextBlob"] = base64.StdEncoding.EncodeToString(blob)
		if dryRun {
			return s.dryRunCrypto(ctx, "Decrypt", params, "decrypt")
		}
		if data.out == "" && isTerminal(s.out) && !yes && !s.explain {
			show, err := askTerminal(s, "Show the plaintext on this terminal?")
			if err != nil {
				return err
			}
			if !show {
				return &exitError{exitFailed, errors.New("nothing was decrypted; --out FILE or a pipe takes the plaintext")}
			}
		}
		var answer cipherAnswer
		resp, err := s.call(ctx, "Decrypt", params, &answer)
		if err != nil {
			return err
		}
		return data.writePlaintext(s, answer.view(resp))
	})
	v.addTo(c)
	data.addTo(c)
	addContextFlag(c, &contexts)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "show the plaintext on a terminal without asking")
	addDryRun(c, &dryRun)
	return c
}

// dryRunCrypto asks the region whether a crypto call would succeed.
func (s *session) dryRunCrypto(ctx context.Context, action string, params map[string]string, verb string) error {
	if err := s.probe(ctx, action, params); err != nil {
		return err
	}
	return s.value(change{Done: "would " + verb}, func(w io.Writer) { fmt.Fprintf(w, "would %s; nothing was done\n", verb) })
}

// probe sends a crypto call as a dry run (API page, DryRun): the answer is always
// an error, and one code of it is success.
func (s *session) probe(ctx context.Context, action string, params map[string]string) error {
	params["DryRun"] = "true"
	if s.explain {
		_, err := s.call(ctx, action, params, nil)
		return err
	}
	_, err := s.client.Call(ctx, action, params, nil)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == "DryRunOperationError" {
		return nil
	}
	if err == nil {
		return errors.New("the endpoint knows no dry run: it did the work")
	}
	return s.explained(err, "")
}

func addRawFlag(c *cobra.Command, raw *bool) {
	c.Flags().BoolVar(raw, "raw", false, "write the ciphertext as bytes, not as Base64")
}
