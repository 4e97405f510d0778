package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/spf13/cobra"

	"meridian/cluster/api"
	"meridian/cluster/api/client"
	"meridian/crypto"
)

// cipherAnswer is what the crypto actions answer, each a part of it.
type cipherAnswer struct {
	KeyId, KeyVersionId, CiphertextBlob, Plaintext, ExportedDataKey string
}

// cryptView is the result of a crypto verb for programs.
type cryptView struct {
	KeyID      string `json:"key_id"`
	Version    string `json:"key_version_id"`
	Ciphertext string `json:"ciphertext_blob,omitempty"`   // Base64
	Plaintext  string `json:"plaintext,omitempty"`         // Base64
	Exported   string `json:"exported_data_key,omitempty"` // Base64, under a public key
	answered
}

func (a cipherAnswer) view(r client.Response) cryptView {
	return cryptView{
		KeyID: a.KeyId, Version: a.KeyVersionId, Ciphertext: a.CiphertextBlob, Plaintext: a.Plaintext, Exported: a.ExportedDataKey, answered: answeredBy(r),
	}
}

func newEncryptCommand() *cobra.Command {
	v := &clientVerb{}
	var data dataFlags
	var pair pairFlags
	var contexts []string
	var raw, dryRun bool
	c := &cobra.Command{
		Use:   "encrypt KEY [PLAINTEXT]",
		Short: "Encrypt a short plaintext under a key",
		Long: fmt.Sprintf(`Encrypts a short plaintext, byte for byte as it comes, from the argument, a file
or stdin, and writes the ciphertext as Base64. A region takes %d bytes unless
it is set to another number, at most %d. Larger data is encrypted with a data
key: meridian datakey.

Under an asymmetric key the ciphertext is what RSA or SM2 makes, without a word
of the key: "meridian decrypt --key KEY" opens it. RSA_2048 takes 190 bytes.`, api.DefaultPlaintext, api.MaxPlaintext),
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
		var answer cryptView
		if pair.given() {
			answer, err = pair.encrypt(ctx, s, params, dryRun)
		} else if answer, err = s.crypt(ctx, "Encrypt", params, dryRun); otherKindOfKey(err) {
			answer, err = pair.encryptInstead(ctx, s, params, dryRun, err)
		}
		switch {
		case err != nil:
			return err
		case dryRun:
			return s.wouldCrypt("encrypt")
		}
		return data.writeBlob(s, answer, raw)
	})
	v.addTo(c)
	data.addTo(c)
	addContextFlag(c, &contexts)
	addRawFlag(c, &raw)
	pair.addTo(c, v, "the newest")
	addDryRun(c, &dryRun)
	return c
}

func newDecryptCommand() *cobra.Command {
	v := &clientVerb{}
	var data dataFlags
	var pair pairFlags
	var contexts []string
	var yes, dryRun bool
	c := &cobra.Command{
		Use:   "decrypt [CIPHERTEXT]",
		Short: "Decrypt a ciphertext",
		Long: `Decrypts a ciphertext, Base64 or as bytes, from the argument, a file or stdin.
It names its own key and version. The plaintext is written byte for byte; on a
terminal it is shown only after a question.

What was encrypted under an asymmetric key, here or by openssl, names no key:
--key does. Without --version each version is tried, newest first.`,
		Example: `  meridian decrypt < card.enc > card.json
  meridian decrypt --in card.enc --out card.json --context app=pay
  meridian decrypt --key alias/transport --in wrapped.bin --out key.bin`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		params := map[string]string{}
		if err := addContext(params, "EncryptionContext", contexts); err != nil {
			return err
		}
		if pair.given() && pair.key == "" {
			return usageError("--algorithm and --version are for a ciphertext of an asymmetric key, which --key names")
		}
		blob, err := data.readBlob(s, args)
		if err != nil {
			return err
		}
		params["CiphertextBlob"] = base64.StdEncoding.EncodeToString(blob)
		if !dryRun {
			if err := data.mayShow(s, yes); err != nil {
				return err
			}
		}
		var answer cryptView
		if pair.key != "" {
			answer, err = pair.decrypt(ctx, s, params, dryRun)
		} else {
			answer, err = s.crypt(ctx, "Decrypt", params, dryRun)
		}
		switch {
		case err != nil:
			return err
		case dryRun:
			return s.wouldCrypt("decrypt")
		}
		return data.writePlaintext(s, answer)
	})
	v.addTo(c)
	data.addTo(c)
	addContextFlag(c, &contexts)
	pair.addKeyTo(c, v)
	pair.addTo(c, v, "each, newest first")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "show the plaintext on a terminal without asking")
	addDryRun(c, &dryRun)
	return c
}

// mayShow asks before a plaintext goes to a terminal.
func (f *dataFlags) mayShow(s *session, yes bool) error {
	if f.out != "" || !isTerminal(s.out) || yes || s.explain {
		return nil
	}
	show, err := askTerminal(s, "Show the plaintext on this terminal?")
	if err == nil && !show {
		err = &exitError{exitFailed, errors.New("nothing was decrypted; --out FILE or a pipe takes the plaintext")}
	}
	return err
}

// crypt makes the crypto call of a verb, or asks whether it would succeed.
func (s *session) crypt(ctx context.Context, action string, params map[string]string, dryRun bool) (cryptView, error) {
	if dryRun {
		return cryptView{}, s.probe(ctx, action, params)
	}
	var answer cipherAnswer
	resp, err := s.call(ctx, action, params, &answer)
	return answer.view(resp), err
}

// dryRunCrypto asks the region whether a crypto call would succeed, and says so.
func (s *session) dryRunCrypto(ctx context.Context, action string, params map[string]string, verb string) error {
	if err := s.probe(ctx, action, params); err != nil {
		return err
	}
	return s.wouldCrypt(verb)
}

// wouldCrypt is the result of a dry run of a crypto verb.
func (s *session) wouldCrypt(verb string) error {
	return s.value(change{Done: "would " + verb}, func(w io.Writer) { fmt.Fprintf(w, "would %s; nothing was done\n", verb) })
}

// probe sends a crypto call as a dry run (API page, DryRun): the answer is always
// an error, and one code of it is success.
func (s *session) probe(ctx context.Context, action string, params map[string]string) error {
	params = maps.Clone(params)
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
