package main

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"meridian/crypto"
)

func newDatakeyCommand() *cobra.Command {
	v := &clientVerb{}
	var data dataFlags
	var contexts []string
	var spec, plaintextOut string
	var size int
	var plaintext, raw, dryRun bool
	c := &cobra.Command{
		Use:   "datakey KEY",
		Short: "Make a data key",
		Long: `Makes a random data key under a key and writes it encrypted, as Base64: store
that beside the data, and "meridian decrypt" opens it. The data key itself goes
only where it is asked for: to a file, or into the output.`,
		Example: `  meridian datakey alias/payments --out key.enc --plaintext-out key
  meridian datakey alias/payments --plaintext --output json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: v.completeKeys,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, args []string) error {
		params := map[string]string{}
		if err := addContext(params, "EncryptionContext", contexts); err != nil {
			return err
		}
		switch {
		case plaintext && s.human():
			return usageError("--plaintext needs --output json, yaml or jsonl; --plaintext-out FILE writes the bytes")
		case plaintextOut == "-" && (data.out == "" || data.out == "-"):
			return usageError("stdout cannot take both; give --out FILE for the ciphertext")
		case plaintextOut == "-" && isTerminal(s.out):
			return usageError("a data key is no text for a terminal; give --plaintext-out FILE or a pipe")
		case size != 0 && c.Flags().Changed("spec"):
			return usageError("--spec and --bytes exclude each other")
		case size != 0:
			params["NumberOfBytes"] = strconv.Itoa(size)
		default:
			params["KeySpec"] = spec
		}
		key, err := s.keyRef(ctx, args[0])
		if err != nil {
			return err
		}
		params["KeyId"] = key
		action := "GenerateDataKeyWithoutPlaintext"
		if plaintext || plaintextOut != "" {
			action = "GenerateDataKey"
		}
		if dryRun {
			return s.dryRunCrypto(ctx, action, params, "make a data key")
		}
		var answer cipherAnswer
		resp, err := s.call(ctx, action, params, &answer)
		if err != nil {
			return err
		}
		if plaintextOut != "" {
			opened, err := base64.StdEncoding.DecodeString(answer.Plaintext)
			if err != nil {
				return errors.New("the answer's plaintext is no Base64")
			}
			defer crypto.Secret(opened).Wipe()
			if err := writeTo(plaintextOut, s.out, opened); err != nil {
				return err
			}
		}
		if !plaintext {
			answer.Plaintext = ""
		}
		return data.writeBlob(s, answer.view(resp), raw)
	})
	v.addTo(c)
	data.addOutTo(c)
	addContextFlag(c, &contexts)
	addRawFlag(c, &raw)
	addDryRun(c, &dryRun)
	f := c.Flags()
	f.StringVar(&spec, "spec", "AES_256", "`SPEC` of the data key: AES_256 or AES_128")
	f.IntVar(&size, "bytes", 0, "its length in bytes, 1 to 1024, instead of a spec")
	f.StringVar(&plaintextOut, "plaintext-out", "", "write the data key itself to this `FILE`, as bytes")
	f.BoolVar(&plaintext, "plaintext", false, "put the data key itself into the output, as Base64")
	_ = c.RegisterFlagCompletionFunc("spec", cobra.FixedCompletions([]string{"AES_256", "AES_128"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}
